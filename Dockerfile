# The build needs the development packages; the image that runs has only what runs.
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json tsconfig.json ./
COPY src src
# `npm ci` ends with `prepare`, which compiles src into dist.
RUN npm ci --no-audit --no-fund

FROM node:24-slim
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 TAGWARDEN_DATA_DIR=/app/data
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund --cache .npm && rm -r .npm
# The only folder that the service writes to; with DATABASE_URL set it stays empty. 1000 is the user `node` of the image.
RUN install -d -o 1000 -g 1000 data
COPY --from=build /app/dist dist
COPY drizzle drizzle
COPY policies policies
USER 1000:1000
VOLUME /app/data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/livez').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/cli/tagwarden.js"]
CMD ["serve"]
