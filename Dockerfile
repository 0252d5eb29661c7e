# syntax=docker/dockerfile:1

# The page, the add-on and the bundles, made as `npm start` makes them on a desk.
FROM node:24-trixie-slim AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY . .
RUN --mount=type=cache,target=/root/.npm npm run -s setup \
    && npm prune --omit=dev --ignore-scripts --no-audit --no-fund \
    # The empty database is made for its maker's eyes only; the server copies it.
    && chmod -R a+rX dist

# What is served: no compiler, no packages that only building and testing need, nothing that the server may change but /data.
FROM node:24-trixie-slim
WORKDIR /app
ENV NODE_ENV=production \
    STATESCOPE_HOST=0.0.0.0 \
    STATESCOPE_DATA=/data
COPY --from=build /app /app
RUN install -d -o node -g node /data
USER 1000
VOLUME /data
EXPOSE 3000
# Any answer but a failure counts: without the token the door answers too.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --start-interval=2s \
    CMD ["node", "-e", "fetch('http://127.0.0.1:3000/api/health').then((answer) => process.exit(answer.status < 500 ? 0 : 1), () => process.exit(1))"]
CMD ["node", "scripts/start.mjs", "--as-built"]
