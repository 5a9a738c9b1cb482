// One Engine.IO session spoken by hand: every packet is said as it stands, and what comes is kept as it came.

import { request, Agent } from 'node:http';
import WebSocket from 'ws';

const SEPARATOR = '\x1e';
const PATIENCE = 20_000;
/** For what may have been said in vain. */
const DOUBT = 5_000;
/** So long a change may wait for those behind it before it is announced with them; and then for the database. */
export const REST = 250;
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
    /** A WebSocket that works does not take over: for how long a request is held then is a matter of luck. */
    this.isProbed = false;
    /** The namespaces that it is in, as far as it knows, and since when it is in none. */
    this.inside = new Set();
    this.nowhereSince = Date.now();
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
      const [, what, namespace] = /^4([01])(\/[^,]*)?/.exec(packet) ?? [];
      if (what === '0') this.inside.add(namespace ?? '/');
      else if (what === '1') this.leave(namespace);
      this.seen.push(packet.replace(/"sid":"[^"]+"/, '"sid":"…"').replaceAll(/"version":\d+/g, '"version":0'));
    }
    this.tell();
  }

  leave(namespace = '/') {
    if (this.inside.delete(namespace) && this.inside.size === 0) this.nowhereSince = Date.now();
  }

  end(how) {
    this.ended ??= how;
    this.tell();
  }

  tell() {
    for (const look of this.waiting) look();
  }

  /** False if that takes too long. */
  until(is, patience = PATIENCE) {
    return new Promise((resolve) => {
      const done = (outcome) => {
        clearTimeout(timer);
        this.waiting.delete(look);
        resolve(outcome);
      };
      const look = () => is() && done(true);
      const timer = setTimeout(() => done(false), patience);
      this.waiting.add(look);
      look();
    });
  }

  /** Packets in one breath: one body, or frame behind frame. */
  async say(packets) {
    for (const packet of packets) if (/^41/.test(packet)) this.leave(/^41(\/[^,]*)?/.exec(packet)[1]);
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
    if (this.isProbed) return;
    await this.isHeld();
    const { status, body } = await exchange(this.agent, this.url, 'GET');
    if (status === 200 && body !== '1') this.seen.push(`a second GET: ${body}`);
    await this.untilEnded();
    // Which of the two came first, and so which is told of the end and which is refused, is a matter of luck.
    if (['1', 'GET 400'].includes(this.ended)) this.ended = '1, or GET 400';
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
    if (this.isProbed) return;
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

  /** Until a back end has been told what it is to be told: there the database is asked first. */
  async told({ hasChanged, isPending, asked }) {
    const has = (packet) => this.seen.some((one) => one.startsWith(packet));
    const hears = (event) => this.until(() => this.ended !== undefined || has(`42/sync,["${event}"`), DOUBT);
    const isThere = () => this.inside.has('/sync') && this.ended === undefined;
    if (isThere() && hasChanged) await sleep(REST);
    if (isThere() && (hasChanged || (isPending && has('40/sync,')))) await hears('changes:pending');
    if (isThere() && asked > 0) await hears('orders:pending');
    // Who asks twice is answered once or twice.
    if (isThere() && asked > 1) await sleep(REST);
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
    this.isProbed ||= answers.includes('3probe');
    this.open ??= [];
    this.open.push(socket);
    return answers;
  }

  /** Leaves nothing behind: of a session that polls nobody would see for a while that its client is gone. */
  async close() {
    this.isPaused = true;
    this.cancel?.abort();
    if (this.socket === undefined && this.ended === undefined) await exchange(this.agent, this.url, 'POST', { body: Buffer.from('1') });
    this.socket?.terminate();
    for (const socket of this.open ?? []) socket.terminate();
    this.agent.destroy();
  }
}
