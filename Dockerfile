# syntax=docker/dockerfile:1

FROM rust:1.95-alpine AS build
# C for aws-lc and SQLite; TLS is rustls, its root certificates are compiled in.
RUN apk add --no-cache musl-dev linux-headers
WORKDIR /build

# The dependencies alone, with an empty program around them: this layer stays until a Cargo.toml or Cargo.lock changes.
# The tests' harness and the benchmark are members of the workspace, so their manifests must be there.
COPY Cargo.toml Cargo.lock ./
COPY demo/Cargo.toml demo/
COPY tests/harness/Cargo.toml tests/harness/
COPY tests/model/Cargo.toml tests/model/
COPY bench/Cargo.toml bench/
RUN mkdir src demo/src tests/harness/src tests/model/src bench/src \
    && touch src/lib.rs demo/src/lib.rs tests/harness/src/lib.rs tests/model/src/lib.rs \
    && echo 'fn main() {}' | tee src/main.rs > bench/src/main.rs \
    && cargo build --release --locked --package pulso \
    && rm -r src demo/src

COPY build.rs ./
COPY src src
COPY demo/src demo/src
COPY sql sql
COPY web web
COPY docs docs
# What /metrics says was built (pulso_build_info): --build-arg PULSO_COMMIT=$(git rev-parse --short HEAD)
ARG PULSO_COMMIT=unknown
# Cargo goes by time, and the files just copied may be older than the empty program.
RUN touch src/lib.rs src/main.rs demo/src/lib.rs \
    && cargo build --release --locked --package pulso \
    && mkdir /image && mkdir -m 1777 /image/tmp && cp target/release/pulso /image/

FROM scratch
COPY --from=build /image/ /
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["/pulso", "health"]
ENTRYPOINT ["/pulso"]
CMD ["serve"]
