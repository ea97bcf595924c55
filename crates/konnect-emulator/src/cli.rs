//! Command line, environment and configuration file of the binary, and the world they describe.
//!
//! Parsing only reads; [`Settings::seed`] then makes organizations, portals and webhooks.

mod values;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use clap::Parser;
use clap::error::ErrorKind;
use serde::Deserialize;

use self::values::{duration, factor, offset, organization, url};
use crate::behaviour::{Behaviour, Lag, Patch, Q4};
use crate::limit::RateLimit;
use crate::model::{Scope, TargetKey};
use crate::settings::{Options, Q1, Q2, Timings, Tls};
use crate::webhook::Webhook;
use crate::{Emit, Emulator, Error};

const CONTRACT: &str = "What the Konnect API serves, as an OpenAPI document: GET /openapi.yaml of the control API, \
    or crates/konnect-emulator/openapi.yaml in the project.";

/// The audit-log side of Kong Konnect on your own machine, with faults on demand.
///
/// Every flag is also an environment variable; lists are separated by commas there. Repeated flags and the
/// configuration file add up; for a single value the flag wins over the file.
#[derive(Debug, Parser)]
#[command(name = "konnect-emulator", version, after_help = CONTRACT)]
pub struct Arguments {
    /// Address of the Konnect API
    #[arg(long, env = "KONNECT_EMULATOR_LISTEN", default_value = "127.0.0.1:8787", value_name = "ADDRESS")]
    listen: SocketAddr,

    /// Address of the control API; it has no authentication, so keep it on loopback
    #[arg(long, env = "KONNECT_EMULATOR_CONTROL", default_value = "127.0.0.1:8788", value_name = "ADDRESS")]
    control: SocketAddr,

    /// Serve the Konnect API over HTTPS, with a private CA made at start
    #[arg(long, env = "KONNECT_EMULATOR_TLS")]
    tls: bool,

    /// Another DNS name or IP address for the certificate, besides localhost and 127.0.0.1
    #[arg(long, env = "KONNECT_EMULATOR_TLS_NAME", value_delimiter = ',', value_name = "NAME", requires = "tls")]
    tls_name: Vec<String>,

    /// Serve the Konnect API over HTTPS, with the certificates in this PEM file
    #[arg(long, env = "KONNECT_EMULATOR_TLS_CERT", value_name = "FILE", requires = "tls_key", conflicts_with = "tls")]
    tls_cert: Option<PathBuf>,

    /// PEM file with the key of --tls-cert
    #[arg(long, env = "KONNECT_EMULATOR_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Write the PEM of the private CA to this file
    #[arg(long, env = "KONNECT_EMULATOR_CA_FILE", value_name = "FILE", requires = "tls")]
    ca_file: Option<PathBuf>,

    /// An organization and its administrator's token; use the variable where other users can read your command line
    #[arg(long, env = "KONNECT_EMULATOR_ORG", value_delimiter = ',', value_name = "NAME=TOKEN", value_parser = organization, hide_env_values = true)]
    org: Vec<OrganizationSeed>,

    /// A Dev Portal; ORG/REGION/organization names the organization's own log, for --webhook-url
    #[arg(long, env = "KONNECT_EMULATOR_PORTAL", value_delimiter = ',', value_name = "ORG/REGION/ID")]
    portal: Vec<TargetKey>,

    /// Webhook of every portal that the configuration file gives none
    #[arg(long, env = "KONNECT_EMULATOR_WEBHOOK_URL", value_name = "URL", value_parser = url)]
    webhook_url: Option<String>,

    /// Address of a SIEM stand-in in this process, which becomes the webhook of every portal that was given none
    #[arg(long, env = "KONNECT_EMULATOR_RECEIVER", value_name = "ADDRESS", conflicts_with = "webhook_url")]
    receiver: Option<SocketAddr>,

    /// Events of each portal, spread over the day before the start, that live delivery has lost: replays find them
    #[arg(long, env = "KONNECT_EMULATOR_LOST_EVENTS", default_value_t = 0, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(..=10_000))]
    lost_events: u16,

    /// Time a run stays accepted, such as 500ms, 2s or 1m [default: 1s]
    #[arg(long, env = "KONNECT_EMULATOR_ACCEPTED_FOR", value_name = "TIME", value_parser = duration)]
    accepted_for: Option<Duration>,

    /// Least time a run stays pending [default: 1s]
    #[arg(long, env = "KONNECT_EMULATOR_PENDING_FOR", value_name = "TIME", value_parser = duration)]
    pending_for: Option<Duration>,

    /// Least time a run stays running [default: 1s]
    #[arg(long, env = "KONNECT_EMULATOR_RUNNING_FOR", value_name = "TIME", value_parser = duration)]
    running_for: Option<Duration>,

    /// How far behind a GET of a replay job is, such as 2s after a PUT that it does not show yet
    #[arg(long, env = "KONNECT_EMULATOR_GET_LAG", value_name = "TIME", value_parser = duration)]
    get_lag: Option<Duration>,

    /// Events younger than this are not stored yet, so a replay leaves them out
    #[arg(long, env = "KONNECT_EMULATOR_INGEST_LAG", value_name = "TIME", value_parser = duration)]
    ingest_lag: Option<Duration>,

    /// How much Konnect's clock is ahead, such as 90s, or behind, such as -90s
    #[arg(long, env = "KONNECT_EMULATOR_CLOCK_OFFSET", value_name = "TIME", value_parser = offset, allow_hyphen_values = true)]
    clock_offset: Option<TimeDelta>,

    /// Factor on the delays between delivery attempts
    #[arg(long, env = "KONNECT_EMULATOR_RETRY_SCALE", default_value_t = 1.0, value_name = "FACTOR", value_parser = factor)]
    retry_scale: f64,

    /// A JSON file with organizations, portals, webhooks, timings, behaviour, rate limits and answers to the open questions
    #[arg(long, env = "KONNECT_EMULATOR_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ConfigFile {
    organizations: Vec<OrganizationSeed>,
    portals: Vec<PortalSeed>,
    timings: Timings,
    q1: Q1,
    q2: Q2,
    behaviour: Behaviour,
    rate_limits: Vec<RateLimit>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrganizationSeed {
    name: String,
    token: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct PortalSeed {
    target: TargetKey,
    webhook: Option<Webhook>,
    /// What differs from the common one.
    #[serde(default)]
    behaviour: Patch,
}

/// Settings that make sense together.
#[derive(Debug)]
pub struct Settings {
    /// How to start.
    pub options: Options,
    /// Where to write the PEM of the private CA.
    pub ca_file: Option<PathBuf>,
    /// Where to run a SIEM stand-in.
    pub receiver: Option<SocketAddr>,
    lost_events: u16,
    organizations: Vec<OrganizationSeed>,
    portals: Vec<PortalSeed>,
}

impl Settings {
    /// Reads the configuration file, if there is one, and puts everything together.
    ///
    /// # Errors
    /// A clap error that names the flag at fault; its exit code is 2.
    pub fn new(arguments: Arguments) -> Result<Self, clap::Error> {
        let file = arguments.config.as_deref().map(read_file).transpose()?.unwrap_or_default();
        let timings = arguments.timings(file.timings);
        let behaviour = arguments.behaviour(file.behaviour);
        let tls = arguments.tls()?;
        let webhook = arguments.webhook_url.as_deref().map(Webhook::new);
        let named = arguments.portal.into_iter().map(|target| PortalSeed {
            target,
            webhook: None,
            behaviour: Patch::default(),
        });
        let settings = Self {
            options: Options {
                listen: arguments.listen,
                control: Some(arguments.control),
                tls,
                timings,
                retry_scale: arguments.retry_scale,
                q1: file.q1,
                q2: file.q2,
                behaviour,
                rate_limits: file.rate_limits,
                ..Options::default()
            },
            ca_file: arguments.ca_file,
            receiver: arguments.receiver,
            lost_events: arguments.lost_events,
            organizations: file.organizations.into_iter().chain(arguments.org).collect(),
            portals: file.portals.into_iter().chain(named).map(|portal| portal.or_webhook(webhook.as_ref())).collect(),
        };
        settings.check()
    }

    fn check(self) -> Result<Self, clap::Error> {
        let is_known = |portal: &&PortalSeed| self.organizations.iter().any(|org| org.name == portal.target.org);
        match self.portals.iter().find(|portal| !is_known(portal)) {
            None => Ok(self),
            Some(portal) => {
                let target = &portal.target;
                Err(invalid(format!("--portal {target}: there is no --org {}=TOKEN", target.org)))
            }
        }
    }

    /// Makes the organizations, portals, webhooks and lost events. Who has no webhook gets `siem`, the URL of the stand-in.
    ///
    /// # Errors
    /// None for checked settings; the operations could refuse others.
    pub fn seed(&self, emulator: &Emulator, siem: Option<&str>) -> Result<(), Error> {
        for org in &self.organizations {
            emulator.add_organization(&org.name, &org.token)?;
        }
        for portal in &self.portals {
            if let Scope::Portal(id) = &portal.target.scope {
                emulator.add_portal(&portal.target.org, &portal.target.region, id)?;
            }
            emulator.set_webhook(&portal.target, portal.webhook.clone().or_else(|| siem.map(Webhook::new)))?;
            emulator.change_behaviour(&portal.target, |behaviour| portal.behaviour.apply(behaviour))?;
            self.lose_events(emulator, &portal.target)?;
        }
        Ok(())
    }

    /// One event in the middle of each of as many equal parts of the last day.
    fn lose_events(&self, emulator: &Emulator, target: &TargetKey) -> Result<(), Error> {
        let (count, now) = (i32::from(self.lost_events), Utc::now());
        for part in 0..count {
            let at = now - TimeDelta::days(1) + TimeDelta::days(1) * (2 * part + 1) / (2 * count);
            emulator.emit(target, Emit::at(1, at).lost())?;
        }
        Ok(())
    }
}

impl PortalSeed {
    fn or_webhook(mut self, webhook: Option<&Webhook>) -> Self {
        self.webhook = self.webhook.or_else(|| webhook.cloned());
        self
    }
}

impl Arguments {
    fn tls(&self) -> Result<Option<Tls>, clap::Error> {
        if let (Some(certificates), Some(key)) = (&self.tls_cert, &self.tls_key) {
            let read = |flag, path: &Path| {
                fs::read_to_string(path).map_err(|error| invalid(format!("{flag} {}: {error}", path.display())))
            };
            let (certificates, key) = (read("--tls-cert", certificates)?, read("--tls-key", key)?);
            return Ok(Some(Tls::Given { certificates, key }));
        }
        Ok(self.tls.then(|| Tls::SelfSigned { names: self.tls_name.clone() }))
    }

    fn timings(&self, file: Timings) -> Timings {
        Timings {
            accepted: self.accepted_for.unwrap_or(file.accepted),
            pending: self.pending_for.unwrap_or(file.pending),
            running: self.running_for.unwrap_or(file.running),
            ended: file.ended,
        }
    }

    fn behaviour(&self, file: Behaviour) -> Behaviour {
        let ingest_lag = self.ingest_lag.unwrap_or(file.q4.ingest_lag);
        Behaviour {
            q4: Q4 { ingest_lag, ..file.q4 },
            get_lag: self.get_lag.map_or(file.get_lag, |lag| vec![Lag::Time(lag)]),
            clock_offset: self.clock_offset.unwrap_or(file.clock_offset),
            ..file
        }
    }
}

fn read_file(path: &Path) -> Result<ConfigFile, clap::Error> {
    let wrong = |reason: String| invalid(format!("--config {}: {reason}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))
}

fn invalid(message: String) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, message + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(arguments: &[&str]) -> Result<Settings, clap::Error> {
        Settings::new(Arguments::try_parse_from(["konnect-emulator"].iter().chain(arguments))?)
    }

    #[test]
    fn flags_describe_a_world() {
        let settings = settings(&[
            "--org=acme=kpat_1",
            "--portal=acme/eu/p1",
            "--webhook-url=http://127.0.0.1:9/logs",
            "--accepted-for=5s",
            "--get-lag=2s",
            "--clock-offset=-90s",
            "--tls",
            "--tls-name=a.test",
        ]);
        let settings = settings.unwrap();
        assert_eq!(settings.options.timings.accepted, Duration::from_secs(5));
        assert_eq!(settings.options.timings.running, Duration::from_secs(1));
        assert_eq!(settings.options.behaviour.get_lag, [Lag::Time(Duration::from_secs(2))]);
        assert_eq!(settings.options.behaviour.clock_offset, TimeDelta::seconds(-90));
        assert_eq!(settings.options.tls, Some(Tls::SelfSigned { names: vec!["a.test".to_owned()] }));
        assert_eq!(settings.portals[0].webhook.as_ref().unwrap().url, "http://127.0.0.1:9/logs");
    }

    #[test]
    fn wrong_settings_name_the_flag_and_exit_with_2() {
        for (arguments, named) in [
            (vec!["--listen=here"], "--listen"),
            (vec!["--org=acme"], "--org"),
            (vec!["--portal=acme/eu/p1"], "--portal"),
            (vec!["--org=acme=t", "--portal=acme/europe/p1"], "--portal"),
            (vec!["--accepted-for=soon"], "--accepted-for"),
            (vec!["--clock-offset=--5s"], "--clock-offset"),
            (vec!["--webhook-url=ftp://a"], "--webhook-url"),
            (vec!["--retry-scale=-1"], "--retry-scale"),
            (vec!["--tls-name=a.test"], "--tls"),
            (vec!["--tls-cert=a.pem"], "--tls-key"),
            (vec!["--tls-cert=no-such-file.pem", "--tls-key=no-such-file.pem"], "--tls-cert"),
            (vec!["--receiver=127.0.0.1:0", "--webhook-url=http://a"], "--webhook-url"),
            (vec!["--lost-events=many"], "--lost-events"),
            (vec!["--config=no-such-file.json"], "--config"),
        ] {
            let error = settings(&arguments).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{arguments:?}");
            assert!(error.to_string().contains(named), "{error}");
        }
    }
}
