# Two images from one file: `--target operator` (the default) and `--target emulator`, Konnect's stand-in for trials.
# Both base images are arguments, so that a mirror or a hardened base can be used.
ARG RUST_IMAGE=docker.io/library/rust:1.95.0-bookworm
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot

# Built on the machine's own architecture, for the one that is asked for: no emulation.
FROM --platform=$BUILDPLATFORM ${RUST_IMAGE} AS source
ARG BUILDARCH
ARG TARGETARCH
WORKDIR /src
RUN case "${TARGETARCH}" in \
      amd64) triple=x86_64-unknown-linux-gnu package=gcc-x86-64-linux-gnu linker=x86_64-linux-gnu-gcc ;; \
      arm64) triple=aarch64-unknown-linux-gnu package=gcc-aarch64-linux-gnu linker=aarch64-linux-gnu-gcc ;; \
      *) echo "no build for TARGETARCH=${TARGETARCH}: amd64 or arm64" >&2; exit 1 ;; \
    esac \
 && echo "${triple}" >/target-triple \
 && if [ "${TARGETARCH}" != "${BUILDARCH}" ]; then \
      rustup target add "${triple}" \
   && apt-get update -q \
   && apt-get install -y -q --no-install-recommends "${package}" "libc6-dev-${TARGETARCH}-cross" \
   && printf '[target.%s]\nlinker = "%s"\n' "${triple}" "${linker}" >>"${CARGO_HOME}/config.toml"; \
    fi
COPY . .

# Cargo's downloads and what it has compiled stay in caches of the builder: a change of the sources compiles our crates, not
# the 300 others. What the next stage needs is copied out of the cache.
#
# Packed, what the loader has to fill in takes 10 kB and not 540: a glibc from 2.36 on reads it (Debian 12, 2023), whose release the
# runtime image has to have anyway where it is built on one. docs/performance.md has the numbers.
FROM source AS build-operator
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo rustc --release --locked --target "$(cat /target-triple)" --package konnect-replay --bin konnect-replay \
      -- -C link-arg=-Wl,-z,pack-relative-relocs \
 && cp "target/$(cat /target-triple)/release/konnect-replay" /konnect-replay

FROM source AS build-emulator
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --release --locked --target "$(cat /target-triple)" --package konnect-emulator --bin konnect-emulator \
 && cp "target/$(cat /target-triple)/release/konnect-emulator" /konnect-emulator

# No shell, no package manager, nothing that is written to: both run with a read-only root.
FROM ${RUNTIME_IMAGE} AS runtime
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 65532:65532

FROM runtime AS emulator
LABEL org.opencontainers.image.title="konnect-emulator" \
      org.opencontainers.image.description="The audit-log side of Kong Konnect, to try a client without an account"
COPY --from=build-emulator /konnect-emulator /usr/local/bin/konnect-emulator
ENTRYPOINT ["/usr/local/bin/konnect-emulator"]

FROM runtime AS operator
LABEL org.opencontainers.image.title="konnect-replay" \
      org.opencontainers.image.description="A Kubernetes operator that replays Kong Konnect audit logs to your SIEM, declaratively"
COPY --from=build-operator /konnect-replay /usr/local/bin/konnect-replay
# Gives memory back that a list took for a moment, which glibc would keep: docs/performance.md has the numbers.
ENV MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=131072 MALLOC_TRIM_THRESHOLD_=131072
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/konnect-replay"]
CMD ["run"]
