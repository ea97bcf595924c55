//! Enums that keep a word they do not know. A status written by a newer or older version of the operator, or a word that
//! Konnect adds tomorrow, must still parse, and must come back out unchanged.

/// Defines a string enum with an `Unknown(String)` variant, its conversions, serde and schema.
macro_rules! open_enum {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$vmeta:meta])* $variant:ident => $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(from = "String", into = "String")]
        $vis enum $name {
            $($(#[$vmeta])* $variant,)+
            /// A word this version does not know, kept as it was read.
            Unknown(String),
        }

        impl $name {
            /// The word on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Unknown(word) => word,
                }
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                match word.as_str() {
                    $($word => Self::$variant,)+
                    _ => Self::Unknown(word),
                }
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.as_str().to_owned()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "maxLength": 64 })
            }
        }
    };
}

pub(crate) use open_enum;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::api::SubmissionState;

    #[test]
    fn a_word_that_is_not_known_comes_back_out_unchanged() {
        for text in ["Intended", "intended", "Teleported", ""] {
            let json = serde_json::json!(text);
            let state: SubmissionState = serde_json::from_value(json.clone()).unwrap();
            assert_eq!(serde_json::to_value(&state).unwrap(), json);
            assert_eq!((state.as_str(), state.to_string().as_str()), (text, text));
            assert_eq!(state == SubmissionState::Intended, text == "Intended");
        }
    }

    #[test]
    fn what_is_no_text_is_refused() {
        assert!(serde_json::from_value::<SubmissionState>(serde_json::json!(7)).is_err());
    }
}
