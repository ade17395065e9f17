# One file, a target per service: `docker build --target auth-service .`

# `openssl` is what the one-shot service of docker-compose.yml makes secrets with.
FROM debian:bookworm-slim AS base
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates openssl \
    && rm -rf /var/lib/apt/lists/*
# The folder that a service may write to; a volume starts as a copy of it.
RUN install -d -o 65532 -g 65532 /data
USER 65532:65532
WORKDIR /
STOPSIGNAL SIGTERM

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# `.git` is not in the build context: the commit for `--version`.
ARG SIGNET_COMMIT=
RUN cargo build --release --locked -p auth-service -p resource-service -p signet-gateway
RUN scripts/notices

FROM base AS auth-service
COPY --from=build /src/target/release/auth-service /usr/local/bin/auth-service
COPY --from=build /src/target/THIRD-PARTY-NOTICES.txt /usr/share/doc/signet/
ENV AUTH__HTTP__BIND=0.0.0.0:8080 AUTH__GRPC__BIND=0.0.0.0:9090
EXPOSE 8080 9090
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s CMD ["auth-service", "healthcheck"]
ENTRYPOINT ["auth-service"]

FROM base AS resource-service
COPY --from=build /src/target/release/resource-service /usr/local/bin/resource-service
COPY --from=build /src/target/THIRD-PARTY-NOTICES.txt /usr/share/doc/signet/
ENV RESOURCE__HTTP__BIND=0.0.0.0:8081 RESOURCE__GRPC__BIND=0.0.0.0:9091 RESOURCE__DATA_DIR=/data
EXPOSE 8081 9091
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s CMD ["resource-service", "healthcheck"]
ENTRYPOINT ["resource-service"]

FROM base AS signet-gateway
COPY --from=build /src/target/release/signet-gateway /usr/local/bin/signet-gateway
COPY --from=build /src/target/THIRD-PARTY-NOTICES.txt /usr/share/doc/signet/
ENV GATEWAY__HTTP__BIND=0.0.0.0:8083 GATEWAY__GRPC__BIND=0.0.0.0:9093 GATEWAY__DATA_DIR=/data
EXPOSE 8083 9093
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s CMD ["signet-gateway", "healthcheck"]
ENTRYPOINT ["signet-gateway"]
