//! Which namespaces are watched.

use crate::config::Config;

/// The namespaces to watch, each on its own; `None` is all of them.
#[derive(Clone, Debug)]
pub(crate) struct Scopes {
    namespaces: Vec<Option<String>>,
    kinds: usize,
}

impl Scopes {
    /// Those of the settings, in each of which `kinds` kinds of object are watched.
    pub(crate) fn of(config: &Config, kinds: usize) -> Self {
        let namespaces = &config.watch_namespaces;
        let namespaces =
            if namespaces.is_empty() { vec![None] } else { namespaces.iter().cloned().map(Some).collect() };
        Self { namespaces, kinds }
    }

    /// Each scope.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        self.namespaces.iter().map(Option::as_deref)
    }

    /// How many watches there are: one for each scope of each kind.
    pub(crate) fn watches(&self) -> usize {
        self.namespaces.len() * self.kinds
    }

    /// Objects per page of one list, so that the lists of all watches together stay within `total`.
    pub(crate) fn page(&self, total: u32) -> u32 {
        (total / u32::try_from(self.watches()).unwrap_or(u32::MAX).max(1)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_namespaces_are_watched_their_pages_stay_within_the_same_memory() {
        for (namespaces, page) in [(1, 50), (2, 25), (7, 7), (50, 1), (400, 1)] {
            let mut scopes = Scopes { namespaces: (0..namespaces).map(|n| Some(format!("n{n}"))).collect(), kinds: 1 };
            assert_eq!(scopes.page(50), page, "{namespaces}");
            scopes.kinds = 2;
            assert_eq!(scopes.page(100), page, "{namespaces} of two kinds");
        }
    }
}
