# What the scripts of this folder share. To be sourced.
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
CHART=$ROOT/deploy/helm/konnect-replay
# The script that brings up a cluster of one node: up, down, exec, load, buildah.
CLUSTER=${CLUSTER:-$ROOT/../shared/lab/cluster}
export LAB_DIR=${LAB_DIR:-${TMPDIR:-/tmp}/k8s-lab}
export PATH=$PATH:$LAB_DIR/bin

say() { printf '\n--- %s\n' "$*"; }
fail() { printf '\nFAILED: %s\n' "$*" >&2; exit 1; }

image() { echo "localhost/konnect-$([ "$1" = operator ] && echo replay || echo emulator):check"; }
kube() { "$CLUSTER" exec kubectl "$@"; }

# jq for YAML too, from go.mod. `go tool -n` builds it where needed and says where it is.
find_gojq() { GOJQ=$(cd "$HERE" && go tool -n gojq); }
gojq() { "$GOJQ" "$@"; }

# Takes the lab down if `prepare` brought it up.
take_down() {
  if [ -e "$LAB_DIR/konnect-replay.brought-up" ] && [ -z "${KEEP_LAB:-}" ]; then
    rm -f "$LAB_DIR/konnect-replay.brought-up"
    "$CLUSTER" down
  fi
}
