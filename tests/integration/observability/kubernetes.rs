//! The manifests: right to three versions of Kubernetes, and to each other.

use std::time::Duration;

use pulso_harness::process::run;
use pulso_harness::script::{installed, python_tool};
use serde_json::Value;

use super::{shipped, yaml};

const VERSIONS: [&str; 3] = ["1.33", "1.35", "1.37"];

fn of_kind(kind: &str) -> Value {
    let manifests = yaml(&shipped("kubernetes/pulso.yaml"));
    let found = manifests.as_array().unwrap().iter().find(|manifest| manifest["kind"] == kind);
    found.unwrap_or_else(|| panic!("there is no {kind}")).clone()
}

#[test]
fn three_versions_of_kubernetes_know_every_field() {
    let mut check = python_tool("python");
    check.arg(installed("kubernetes_check.py")).arg(shipped("kubernetes/pulso.yaml")).args(VERSIONS);
    let seen: Value = serde_json::from_str(&run(&mut check, "the schemas of Kubernetes")).unwrap();
    for kind in ["Deployment", "Service", "PodDisruptionBudget"] {
        assert_eq!(seen[kind].as_array().unwrap().len(), VERSIONS.len(), "{seen}");
    }
}

#[test]
fn everything_finds_the_pods_and_the_monitor_finds_the_service() {
    let (deployment, service) = (of_kind("Deployment"), of_kind("Service"));
    let pods = &deployment["spec"]["template"];
    for selector in [
        &deployment["spec"]["selector"]["matchLabels"],
        &service["spec"]["selector"],
        &of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
    ] {
        assert_eq!(*selector, pods["metadata"]["labels"]);
    }
    let monitor = of_kind("ServiceMonitor");
    assert_eq!(monitor["spec"]["selector"]["matchLabels"], service["metadata"]["labels"]);
    assert_eq!(monitor["spec"]["endpoints"][0]["port"], service["spec"]["ports"][0]["name"]);
    let container = &pods["spec"]["containers"][0];
    assert_eq!(service["spec"]["ports"][0]["targetPort"], container["ports"][0]["name"]);
    for (probe, path) in [("livenessProbe", "/health"), ("readinessProbe", "/ready")] {
        assert_eq!(container[probe]["httpGet"]["path"], path);
        assert_eq!(container[probe]["httpGet"]["port"], container["ports"][0]["name"]);
    }
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
}

#[test]
fn a_pod_is_given_longer_than_its_goodbye_takes() {
    let deployment = of_kind("Deployment");
    let pod = &deployment["spec"]["template"]["spec"];
    let setting = |name: &str| {
        let all = pod["containers"][0]["env"].as_array().unwrap();
        let value = all.iter().find(|one| one["name"] == name).unwrap()["value"].as_str().unwrap();
        Duration::from_secs(value.strip_suffix('s').unwrap().parse().unwrap())
    };
    let grace = Duration::from_secs(pod["terminationGracePeriodSeconds"].as_u64().unwrap());
    assert!(grace > setting("SHUTDOWN_DELAY") + setting("SHUTDOWN_GRACE"));
}
