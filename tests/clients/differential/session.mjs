// One Engine.IO session spoken by hand: every packet is said as it stands, and what comes is kept as it came.

import { request, Agent } from 'node:http';
import WebSocket from 'ws';

const SEPARATOR = '\x1e';
const PATIENCE = 20_000;
const PATH = '/socket.io/?EIO=4';

export const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Resolves to `{status, body}`; a connection that breaks is status 0. */
function exchange(agent, url, method, { body, cancel, type = 'text/plain;charset=UTF-8', halfway } = {}) {
  return new Promise((resolve) => {
    const options = { method, agent, signal: cancel };
    if (body !== undefined) options.headers = { 'Content-Type': type, 'Content-Length': body.length };
    const asked = request(url, options, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => resolve({ status: answer.statusCode, body: Buffer.concat(parts).toString() }));
      answer.on('error', () => resolve({ status: 0, body: '' }));
    });
    asked.on('error', () => resolve({ status: 0, body: '' }));
    if (halfway === undefined) return void asked.end(body);
    asked.write(body.subarray(0, 1));
    return void halfway().then(() => asked.end(body.subarray(1)));
  });
}

/** As a frame: what is base64 by polling is binary here. `{text}` is text whatever it looks like. */
const framed = (packet) =>
  typeof packet === 'string' && packet.startsWith('b') ? Buffer.from(packet.slice(1), 'base64') : (packet.text ?? packet);
const posted = (packet) => packet.text ?? packet;

export class Session {
  constructor(base) {
    this.base = base;
    this.agent = new Agent({ keepAlive: true });
    this.seen = [];
    /** How it ended. */
    this.ended = undefined;
    this.waiting = new Set();
    this.barriers = 0;
    /** Pings so far. */
    this.beats = 0;
    this.isMute = false;
    /** Requests with packets that are not answered yet. */
    this.posting = 0;
    /** What it posted last was no packet. */
    this.isRefused = false;
  }

  static async open(base, transport) {
    const session = new Session(base);
    if (transport === 'websocket') {
      session.socket = new WebSocket(`${base.replace('http', 'ws')}${PATH}&transport=websocket`, { perMessageDeflate: false });
      session.listen();
      await session.until(() => session.sid !== undefined);
    } else {
      const { status, body } = await exchange(session.agent, `${base}${PATH}&transport=polling`, 'GET');
      if (status !== 200) throw new Error(`${status} ${body}`);
      session.on(body);
      session.poll();
    }
    return session;
  }

  get url() {
    return `${this.base}${PATH}&transport=polling&sid=${this.sid}`;
  }

  listen() {
    this.socket.on('message', (data, isBinary) => this.on(isBinary ? `b${data.toString('base64')}` : data.toString()));
    this.socket.on('close', (code) => this.end(`close ${code}`));
    this.socket.on('error', () => {});
  }

  /** Holds one request after the other, as clients do, until the session ends or goes over to a WebSocket. */
  async poll() {
    while (this.ended === undefined && !this.isPaused) {
      this.cancel = new AbortController();
      const { status, body } = await exchange(this.agent, this.url, 'GET', { cancel: this.cancel.signal });
      if (status !== 200) this.end(`GET ${status}`);
      else for (const packet of body.split(SEPARATOR)) this.on(packet);
    }
    this.hasStopped = true;
    this.tell();
  }

  on(packet) {
    if (this.sid === undefined) {
      this.sid = JSON.parse(packet.slice(1)).sid;
    } else if (packet === '2') {
      this.beats += 1;
      if (!this.isMute) void this.say(['3']);
    } else if (packet === '1') {
      this.end('1');
    } else if (packet !== '6') {
      this.seen.push(packet.replace(/"sid":"[^"]+"/, '"sid":"…"'));
    }
    this.tell();
  }

  end(how) {
    this.ended ??= how;
    this.tell();
  }

  tell() {
    for (const look of this.waiting) look();
  }

  /** False if that takes too long. */
  until(is) {
    return new Promise((resolve) => {
      const done = (outcome) => {
        clearTimeout(timer);
        this.waiting.delete(look);
        resolve(outcome);
      };
      const look = () => is() && done(true);
      const timer = setTimeout(() => done(false), PATIENCE);
      this.waiting.add(look);
      look();
    });
  }

  /** Packets in one breath: one body, or frame behind frame. */
  async say(packets) {
    if (this.socket !== undefined) {
      for (const packet of packets) this.socket.send(framed(packet));
      return;
    }
    await this.post(packets.map(posted).join(SEPARATOR));
  }

  async post(body, more = {}) {
    this.posting += 1;
    const { status } = await exchange(this.agent, this.url, 'POST', { body: Buffer.from(body), ...more });
    this.posting -= 1;
    this.tell();
    // What the waiting request says of it is said first.
    if (status === 200) return;
    this.isRefused = true;
    if (!(await this.untilEnded())) this.seen.push(`POST ${status}, and it goes on`);
  }

  /** A second request for what waits, while one is held. */
  async overlap() {
    await this.isHeld();
    const { status, body } = await exchange(this.agent, this.url, 'GET');
    if (status === 200) this.seen.push(`a second GET: ${body}`);
    await this.untilEnded();
  }

  /** A second request that brings packets, while one is on its way. */
  async postMeanwhile() {
    const halfway = async () => {
      await sleep(50);
      await this.post('3');
    };
    await this.post('40/meanwhile,', { halfway });
  }

  /** Gives the held request up. */
  async giveUp() {
    await this.isHeld();
    this.cancel.abort();
    await sleep(50);
    const { status } = await exchange(this.agent, this.url, 'POST', { body: Buffer.from('3') });
    this.seen.push(`given up: ${status}`);
  }

  /** Until it has been asked `count` times more. */
  async beat(count) {
    const goal = this.beats + count;
    if (!(await this.until(() => this.beats >= goal || this.ended !== undefined))) this.seen.push('no ping');
  }

  /** Answers no ping any more. */
  async beMute() {
    this.isMute = true;
    if (!(await this.until(() => this.ended !== undefined))) this.seen.push('it goes on');
  }

  /** Until the request that the client has made has come to the server, as good as certainly. */
  isHeld() {
    return sleep(50);
  }

  async untilEnded() {
    return this.until(() => this.ended !== undefined);
  }

  /** Until everything said so far has been dealt with, and whatever it led to: a namespace that is none is refused twice. */
  async settle() {
    for (let round = 0; round < 2 && this.ended === undefined; round += 1) {
      this.barriers += 1;
      const [asked, refused] = [`40/barrier-${this.barriers},`, `44/barrier-${this.barriers},{"message":"Invalid namespace"}`];
      await this.say([asked]);
      const isThere = () => this.seen.includes(refused);
      if (!(await this.until(() => this.ended !== undefined || isThere()))) this.seen.push('no answer');
      this.seen = this.seen.filter((packet) => packet !== refused);
    }
  }

  /** What came since this was called last. */
  take() {
    const seen = this.seen;
    this.seen = [];
    return seen;
  }

  /** A WebSocket that may take over. `stages`: what it says, one after the other; `between` is called before each. */
  async upgrade(stages, between) {
    const socket = new WebSocket(`${this.base.replace('http', 'ws')}${PATH}&transport=websocket&sid=${this.sid}`, {
      perMessageDeflate: false,
    });
    const answers = [];
    let isOver = false;
    socket.on('message', (data) => {
      answers.push(data.toString());
      this.tell();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      isOver = true;
      this.tell();
    });
    let isOpen = false;
    socket.on('open', () => {
      isOpen = true;
      this.tell();
    });
    await this.until(() => isOpen || isOver);
    for (const stage of stages) {
      await between();
      if (isOver) continue;
      if (stage === 'close') socket.close();
      else if (stage === 'reset') socket.terminate();
      else if (stage === '5' && answers.includes('3probe')) {
        this.isPaused = true;
        // As clients do: what is posted and not answered when the session goes over is lost.
        await this.until(() => this.hasStopped && this.posting === 0);
        if (this.ended !== undefined) continue;
        this.socket = socket;
        socket.removeAllListeners('message').removeAllListeners('close');
        this.listen();
        socket.send('5');
        return ['taken over'];
      } else {
        socket.send(stage);
        if (stage === '2probe') await this.until(() => answers.includes('3probe') || isOver);
        else await this.until(() => isOver);
      }
    }
    this.open ??= [];
    this.open.push(socket);
    return answers;
  }

  close() {
    this.isPaused = true;
    this.cancel?.abort();
    this.socket?.terminate();
    for (const socket of this.open ?? []) socket.terminate();
    this.agent.destroy();
  }
}
