// The driver of stompit.

import { readFileSync } from "node:fs";
import stompit from "stompit";
import { Events, promised, serve } from "./lines.mjs";

// At an ERROR of content-type text/plain stompit 1.0.0 destroys the frame where it means the client, which no
// user of it can catch but so (gdaws/stompit#116).  The connection that ends next is the one that got it.
let uncaught = null;
process.on("uncaughtException", (error) => {
  if (!error.isApplicationError?.()) {
    throw error;
  }
  uncaught = error;
});

function caught(error) {
  const cause = uncaught ?? error;
  uncaught = null;
  return cause;
}

class Connection {
  events = new Events();
  messages = [];
  subscriptions = [];
  transactions = new Map();

  connect({ port, version, heart_beat: beat, authority, host }) {
    const options = {
      host,
      port,
      connectHeaders: { "accept-version": version, "heart-beat": (beat ?? [0, 0]).join() },
      heartbeatDelayMargin: 1000,
      resetDisconnect: false, // let the broker close the connection
    };
    if (authority !== null) {
      options.ssl = true;
      options.ca = [readFileSync(authority)];
    }
    return promised((resolve, reject) => {
      stompit.connect(options, (error, client) => {
        if (error) {
          reject(caught(error));
          return;
        }
        this.client = client;
        this.beganWith = client.getTransportSocket().bytesRead;
        client.on("error", (problem) => {
          const cause = caught(problem);
          if (cause.isApplicationError()) {
            this.events.put("ERROR", { message: cause.message });
          }
          this.events.put("END");
        });
        resolve();
      });
    }, "not connected");
  }

  /** Have `send` send a frame with these options, and wait for its RECEIPT. */
  receipt(send) {
    return promised((onReceipt) => send({ onReceipt: () => onReceipt() }), "no RECEIPT");
  }

  send({ destination, body, headers, transaction, receipt }) {
    const all = { destination, "content-length": body.length, ...headers };
    const sender = this.transactions.get(transaction) ?? this.client;
    if (sender === this.client && transaction !== null) {
      all.transaction = transaction;
    }
    if (receipt) {
      return this.receipt((options) => sender.send(all, options).end(body));
    }
    return promised((sent) => sender.send(all).end(body, () => sent()), "not sent");
  }

  async subscribe({ destination, ack, headers }) {
    const subscription = this.client.subscribe({ destination, ack, ...headers }, (error, message) => {
      if (error) {
        return; // told by the client itself too
      }
      const chunks = [];
      message.on("data", (chunk) => chunks.push(chunk));
      message.on("end", () => {
        const key = this.messages.push(message) - 1;
        this.events.put("MESSAGE", message.headers, Buffer.concat(chunks), key);
      });
    });
    // SUBSCRIBE can't ask for a RECEIPT here; what comes behind it can.
    await this.receipt((options) => this.client.begin().abort(options));
    return this.subscriptions.push(subscription) - 1;
  }

  async unsubscribe({ subscription }) {
    this.subscriptions[subscription].unsubscribe();
    await this.receipt((options) => this.client.begin().abort(options));
  }

  ack({ key, transaction }) {
    const headers = transaction === null ? {} : { transaction };
    return this.receipt((options) => this.client.ack(this.messages[key], headers, options));
  }

  nack({ key, transaction }) {
    const headers = transaction === null ? {} : { transaction };
    return this.receipt((options) => this.client.nack(this.messages[key], headers, options));
  }

  begin() {
    const transaction = this.client.begin();
    this.transactions.set(`${transaction.id}`, transaction);
    return `${transaction.id}`;
  }

  commit({ transaction }) {
    return this.receipt((options) => this.transactions.get(transaction).commit(options));
  }

  abort({ transaction }) {
    return this.receipt((options) => this.transactions.get(transaction).abort(options));
  }

  says({ command }) {
    this.client.sendFrame(command, {}).end();
  }

  /** An idle connection hears nothing else. */
  beats() {
    return this.client.getTransportSocket().bytesRead - this.beganWith;
  }

  hears() {
    return this.events.next();
  }

  has_heard() {
    return this.events.all();
  }

  disconnect() {
    return promised(
      (resolve, reject) => this.client.disconnect((error) => (error ? reject(error) : resolve())),
      "not disconnected",
    );
  }

  drop() {
    this.client?.destroy();
  }
}

serve(Connection);
