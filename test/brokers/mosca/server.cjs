// Runs Mosca on the given loopback port, with its data in memory.
const Module = require("node:module");

// Mosca requires these modules at startup for databases and brokers that are neither used nor installed here.
const UNUSED = new Set(["amqp", "ioredis", "mongodb", "msgpack-lite", "qlobber-fsq", "zmq"]);
const load = Module._load;
Module._load = (name, ...rest) => (UNUSED.has(name) ? {} : load(name, ...rest));

const mosca = require("mosca");
const server = new mosca.Server({
  host: "127.0.0.1",
  port: Number(process.argv[2]),
  persistence: { factory: mosca.persistence.Memory },
});
server.on("ready", () => console.log(`mosca ${require("mosca/package.json").version} ready`));
