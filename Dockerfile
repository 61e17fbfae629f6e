# Builds with everything, ships with what runs.
FROM node:24-bookworm-slim AS build
WORKDIR /app
# Alone, so that the packages are only installed again when they change. No package here needs its install script:
# the native ones ship prebuilt (see allowScripts in package.json), and our own `prepare` has no source yet.
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY openapi ./openapi
COPY packaging ./packaging
COPY dashboard ./dashboard
COPY src ./src
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="Causeway" \
      org.opencontainers.image.description="An MQTT to HTTP bridge" \
      org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    DATA_DIR=/data
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY openapi ./openapi
COPY LICENSE ./
RUN mkdir /data && chown node:node /data
# The embedded store and broker, and the API key that was made at the first start.
VOLUME /data
USER node
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 8080}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Causeway itself is process 1 and handles this signal: it finishes running deliveries and exits with 0.
STOPSIGNAL SIGTERM
# A larger nursery: most of what a message leaves behind dies young, and is then never copied.
CMD ["node", "--max-semi-space-size=32", "dist/causeway.js"]
