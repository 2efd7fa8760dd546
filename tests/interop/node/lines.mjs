// What the drivers of JavaScript's clients share: requests in, answers out, what was heard in between.

import { createInterface } from "node:readline";

const PATIENCE = 10_000; // milliseconds, for anything the broker has to say

console.log = console.error; // stdout is for answers

/** Do what stdin asks, until its end. */
export async function serve(Connection) {
  const connections = new Map();
  for await (const line of createInterface({ input: process.stdin })) {
    let answer;
    try {
      answer = { result: (await perform(JSON.parse(line), connections, Connection)) ?? null };
    } catch (error) {
      answer = { failed: `${error}` };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
  process.exit();
}

async function perform({ connection, do: verb, ...request }, connections, Connection) {
  if (!connections.has(connection)) {
    connections.set(connection, new Connection());
  }
  if (request.body !== undefined) {
    request.body = Buffer.from(request.body, "base64");
  }
  return await connections.get(connection)[verb](request);
}

/** What a connection heard, in order. */
export class Events {
  heard = [];
  waiting = [];

  put(kind, headers = {}, body = "", key = null) {
    const event = { kind, headers, body: Buffer.from(body).toString("base64"), key };
    const waiting = this.waiting.shift();
    if (waiting === undefined) {
      this.heard.push(event);
    } else {
      waiting(event);
    }
  }

  async next() {
    if (this.heard.length > 0) {
      return this.heard.shift();
    }
    return await promised((resolve) => this.waiting.push(resolve), "nothing came");
  }

  all() {
    return this.heard.splice(0);
  }
}

/** What `start(resolve, reject)` comes to; an error if that takes too long. */
export function promised(start, otherwise) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${otherwise} within ${PATIENCE / 1000} seconds`)),
      PATIENCE,
    );
    const stopping = (settle) => (value) => {
      clearTimeout(timer);
      settle(value);
    };
    start(stopping(resolve), stopping(reject));
  });
}
