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
    cargo xtask generate
    tests/chart/install-yaml

# Explores the states of the decision core.
model:
    cargo test -p konnect-replay-model

# Draws random trouble for some minutes.
soak MINUTES="2":
    cargo test --quiet --test soak -- --minutes {{MINUTES}}

# Measures what the operator costs; minutes, on a machine that does nothing else.
bench *ARGS:
    cargo bench --bench scale -- {{ARGS}}
