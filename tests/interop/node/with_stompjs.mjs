// The driver of @stomp/stompjs, over TCP by @stomp/tcp-wrapper.

import { readFileSync } from "node:fs";
import { connect as connectTLS } from "node:tls";
import { Client, Versions } from "@stomp/stompjs";
import { TCPWrapper } from "@stomp/tcp-wrapper";
import { Events, promised, serve } from "./lines.mjs";

/** A TCPWrapper over TLS, as its documentation has it: by another getSocket. */
function tlsWrapper(host, port, ca) {
  class TLSWrapper extends TCPWrapper {
    getSocket(port, host) {
      return connectTLS({ port, host, ca });
    }
  }
  return new TLSWrapper(host, port);
}

class Connection {
  events = new Events();
  messages = [];
  subscriptions = [];
  transactions = new Map();
  heardBeats = 0;
  receipts = 0;

  connect({ port, version, heart_beat: beat, authority, host }) {
    return promised((resolve, reject) => {
      const options = {
        webSocketFactory: () =>
          authority === null
            ? new TCPWrapper(host, port)
            : tlsWrapper(host, port, readFileSync(authority)),
        stompVersions: new Versions([version]),
        connectHeaders: { host },
        reconnectDelay: 0,
        onConnect: () => resolve(),
        onStompError: (frame) => {
          this.events.put("ERROR", frame.headers, frame.binaryBody);
          reject(new Error(`${frame.headers.message}: ${frame.body}`));
        },
        onWebSocketError: (event) => reject(event.message),
        onWebSocketClose: () => this.events.put("END"),
        onHeartbeatReceived: () => this.heardBeats++,
        onUnhandledMessage: (message) => this.events.put("UNHANDLED", message.headers),
        onUnhandledReceipt: (frame) => this.events.put("UNHANDLED", frame.headers),
      };
      if (beat !== null) {
        [options.heartbeatOutgoing, options.heartbeatIncoming] = beat;
      }
      this.version = version;
      this.client = new Client(options);
      this.client.activate();
    }, "not connected");
  }

  /** Have `send` send a frame with this receipt header, and wait for its RECEIPT. */
  receipt(send) {
    let receipt = `receipt ${++this.receipts}`;
    if (this.version === "1.2") {
      receipt += ": \n \\ ."; // it escapes in 1.2 alone
    }
    return promised((resolve) => {
      this.client.watchForReceipt(receipt, () => resolve());
      send({ receipt });
    }, "no RECEIPT");
  }

  async send({ destination, body: binaryBody, headers, transaction, receipt }) {
    const send = (more) =>
      this.client.publish({
        destination,
        binaryBody,
        headers: { ...headers, ...(transaction === null ? {} : { transaction }), ...more },
      });
    if (receipt) {
      await this.receipt(send);
    } else {
      send({});
    }
  }

  async subscribe({ destination, ack, headers }) {
    await this.receipt((more) => {
      const subscription = this.client.subscribe(
        destination,
        (message) => {
          const key = this.messages.push(message) - 1;
          this.events.put("MESSAGE", message.headers, message.binaryBody, key);
        },
        { ack, ...headers, ...more },
      );
      this.subscriptions.push(subscription);
    });
    return this.subscriptions.length - 1;
  }

  unsubscribe({ subscription }) {
    return this.receipt((more) => this.subscriptions[subscription].unsubscribe(more));
  }

  ack({ key, transaction }) {
    const headers = transaction === null ? {} : { transaction };
    return this.receipt((more) => this.messages[key].ack({ ...headers, ...more }));
  }

  nack({ key, transaction }) {
    const headers = transaction === null ? {} : { transaction };
    return this.receipt((more) => this.messages[key].nack({ ...headers, ...more }));
  }

  begin() {
    const transaction = this.client.begin();
    this.transactions.set(transaction.id, transaction);
    return transaction.id;
  }

  commit({ transaction }) {
    this.transactions.get(transaction).commit();
  }

  abort({ transaction }) {
    this.transactions.get(transaction).abort();
  }

  beats() {
    return this.heardBeats;
  }

  hears() {
    return this.events.next();
  }

  has_heard() {
    return this.events.all();
  }

  disconnect() {
    return promised((resolve, reject) => {
      let receipt = null;
      this.client.onDisconnect = (frame) => (receipt = frame.headers["receipt-id"]);
      this.client.onWebSocketClose = ({ wasClean }) => {
        if (receipt !== null && wasClean) {
          resolve();
        } else {
          reject(new Error(`closed with RECEIPT ${receipt}, clean: ${wasClean}`));
        }
      };
      this.client.deactivate();
    }, "not disconnected");
  }

  async drop() {
    await this.client?.deactivate({ force: true });
  }
}

serve(Connection);
