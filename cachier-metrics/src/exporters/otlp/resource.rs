//! The resource: the program that sends.

use std::env;
use std::hash::{BuildHasher as _, RandomState};
use std::time::SystemTime;

use opentelemetry_proto::tonic::resource::v1::Resource;

use super::environment::Environment;
use super::requests::attributes;
use crate::per_process::{PerProcess, Process};

/// The identity of a program. Its instance changes with each start, and in each forked child.
#[derive(Debug)]
pub(super) struct Identity {
    /// The first of a name holds.
    attributes: Vec<(String, String)>,
    instance: PerProcess<String>,
}

const SERVICE_NAME: &str = "service.name";
const INSTANCE: &str = "service.instance.id";

impl Identity {
    /// The program's attributes come before its environment's.
    pub(super) fn new(mut said: Vec<(String, String)>, environment: &Environment<'_>) -> Self {
        let name = |name: String| (SERVICE_NAME.to_owned(), name);
        said.extend(environment.service_name().map(name));
        said.extend(environment.resource_attributes());
        said.push(name(default_name()));
        Self {
            attributes: said,
            instance: PerProcess::new(),
        }
    }

    pub(super) fn resource(&self) -> Resource {
        let instance = self.instance.get(|_| random_id());
        let own = (INSTANCE.to_owned(), instance.clone());
        let mut all: Vec<(String, String)> = Vec::new();
        for attribute in self.attributes.iter().chain([&own]) {
            if !all.iter().any(|(known, _)| *known == attribute.0) {
                all.push(attribute.clone());
            }
        }
        Resource {
            attributes: attributes(&all),
            ..Resource::default()
        }
    }
}

/// As the specification has it.
fn default_name() -> String {
    let program = env::current_exe().ok();
    let name = program.as_ref().and_then(|path| path.file_name());
    let name = name.map(|name| format!(":{}", name.display()));
    format!("unknown_service{}", name.unwrap_or_default())
}

/// A random UUID. The keys of a hasher are random, but the same in a forked child: its process and the time are not.
fn random_id() -> String {
    let seed = (format!("{:?}", Process::current()), SystemTime::now());
    let [high, low] = [RandomState::new(), RandomState::new()].map(|keys| keys.hash_one(&seed));
    let bits = u128::from(high) << 64 | u128::from(low);
    let hex = format!("{bits:032x}");
    let variant = ["8", "9", "a", "b"][(bits >> 62) as usize % 4];
    format!(
        "{}-{}-4{}-{variant}{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..],
    )
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    fn read(said: &[(&str, &str)], variables: &[(&str, &str)]) -> Vec<String> {
        let said = said
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let told = std::cell::Cell::new(0);
        let environment = Environment {
            variable: &variable,
            tell: &|_| told.set(told.get() + 1),
        };
        let resource = Identity::new(said.collect(), &environment).resource();
        let attributes = resource.attributes.iter();
        let text = attributes.map(|attribute| format!("{}={:?}", attribute.key, attribute.value));
        text.collect()
    }

    #[test]
    fn the_program_comes_before_its_environment() {
        let variables = [
            ("OTEL_SERVICE_NAME", "till"),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "service.name=other,deployment.environment.name=caf%C3%A9",
            ),
        ];
        let has = |all: &[String], key: &str, value: &str| {
            let of_key: Vec<_> = all
                .iter()
                .filter(|one| one.starts_with(&format!("{key}=")))
                .collect();
            assert_eq!(of_key.len(), 1, "{all:?}");
            assert!(of_key[0].contains(&format!("{value:?}")), "{all:?}");
        };
        let all = read(&[], &variables);
        has(&all, "service.name", "till");
        has(&all, "deployment.environment.name", "café");
        let all = read(
            &[("service.name", "shop"), ("service.instance.id", "7")],
            &variables,
        );
        has(&all, "service.name", "shop");
        has(&all, "service.instance.id", "7");
        has(&read(&[], &variables[1..]), "service.name", "other");
        let all = read(&[], &[("OTEL_RESOURCE_ATTRIBUTES", "nonsense")]);
        assert!(
            all[0].contains("unknown_service:cachier_metrics"),
            "{all:?}"
        );
    }

    #[test]
    fn an_instance_has_an_id_of_its_own() {
        let ids = [random_id(), random_id()];
        assert_ne!(ids[0], ids[1]);
        for id in &ids {
            let lengths: Vec<_> = id.split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
            assert_eq!(&id[14..15], "4", "{id}");
        }
    }
}
