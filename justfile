# The door to all tasks: `just` lists them. Each also runs without just, by the command that stands in it.

# Lists the tasks.
default:
    @just --list --unsorted

# Shows the main case: events are lost, a job is applied, the events arrive.
demo *ARGS:
    cargo run --example demo -- {{ARGS}}

# Runs the tests; a name runs those that have it in theirs.
test *NAMES:
    cargo test {{NAMES}}

# Runs what a change must pass before it is proposed.
check:
    .ci/run formatting lints docs generated tests

# Runs the project's whole check, or the named steps of it. As root, for the node of tests/chart.
ci *STEPS:
    .ci/run {{STEPS}}

# Writes all generated files anew.
generate:
    cargo run --quiet --example generate crd > crds/auditlogreplayjobs.yaml
    cp crds/auditlogreplayjobs.yaml deploy/helm/konnect-replay/files/crd.yaml
    cp crds/auditlogreplayjobs.yaml deploy/kustomize/base/crd.yaml
    cp deploy/monitoring/* deploy/helm/konnect-replay/files/
    tests/chart/install-yaml
    cargo run --quiet --example api-reference > docs/api.md
    cargo run --quiet --example generate evidence-schema > docs/evidence.schema.json
    cargo run --quiet --example generate configuration > docs/configuration.md
    docs/decisions/index > docs/decisions/README.md

# Explores the states of the decision core.
model:
    cargo test -p konnect-replay-model

# Draws random trouble for some minutes.
soak MINUTES="2":
    cargo run --quiet --example soak -- --minutes {{MINUTES}}

# Measures what the operator costs; minutes, on a machine that does nothing else.
bench *ARGS:
    cargo bench --bench scale -- {{ARGS}}
