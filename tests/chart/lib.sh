# What the scripts of this folder share. To be sourced.
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
CLUSTER=${CLUSTER:-$ROOT/../shared/lab/cluster}
LAB_DIR=${LAB_DIR:-${TMPDIR:-/tmp}/k8s-lab}
export PATH=$PATH:$LAB_DIR/bin

say() { printf '\n--- %s\n' "$*"; }
fail() { printf '\nFAILED: %s\n' "$*" >&2; exit 1; }

# jq for YAML too, from go.mod: `go tool -n` builds it where needed and says where it is.
GOJQ=$(cd "$HERE" && go tool -n gojq)
