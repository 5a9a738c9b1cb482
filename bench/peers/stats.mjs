// What the JavaScript peers say: Pulso's `stats` message, always of the same length.

export const LENGTH = 208;

let seq = 0;

/** The message of the next broadcast; its `seq` is one more than that of the one before. */
export function next(negocio) {
  seq += 1;
  return current(negocio);
}

/** The message for who has just subscribed. */
export function current(negocio) {
  return {
    type: "stats",
    data: {
      negocio_id: negocio,
      citas_hoy: 12,
      total_citas: 156,
      citas_completadas: 142,
      citas_canceladas: 8,
      timestamp: Math.floor(Date.now() / 1000),
    },
    seq,
  };
}

/** The message as JSON of LENGTH bytes: blanks before `seq`, which JSON allows, make up for short figures. */
export function encode({ type, data, seq }) {
  const tail = `"seq":${seq}}`;
  const text = `{"type":"${type}","data":${JSON.stringify(data)},`.padEnd(LENGTH - tail.length) + tail;
  if (Buffer.byteLength(text) !== LENGTH) throw new RangeError(`a message is longer than ${LENGTH} bytes`);
  return text;
}

/** The channel that a client asks for, or none. */
export function wanted(message) {
  const { type, channel } = JSON.parse(message);
  return type === "subscribe" && typeof channel === "string" ? channel : undefined;
}

/** A negocio from its channel: `estadisticas:<negocio>`. */
export const negocio = (channel) => channel.slice(channel.indexOf(":") + 1);

export const channel = (negocio) => `estadisticas:${negocio}`;
