// Owns sums of money: decimal text in, decimal text out, never through a float.

const DECIMAL = /^-?\d{1,30}(\.\d{1,12})?$/;

/** The sum as text with the most decimals that any part had; what is no plain decimal is left out. */
export class Sum {
  #units = 0n;
  #decimals = 0;

  /** False if `text` is no amount. */
  add(text) {
    if (!DECIMAL.test(text)) return false;
    const [whole, fraction = ''] = text.split('.');
    const decimals = Math.max(this.#decimals, fraction.length);
    this.#units *= 10n ** BigInt(decimals - this.#decimals);
    this.#units += BigInt(whole + fraction.padEnd(decimals, '0'));
    this.#decimals = decimals;
    return true;
  }

  toString() {
    const sign = this.#units < 0n ? '-' : '';
    const decimals = Math.max(this.#decimals, 2);
    const units = (this.#units < 0n ? -this.#units : this.#units) * 10n ** BigInt(decimals - this.#decimals);
    const digits = units.toString().padStart(decimals + 1, '0');
    return `${sign}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
  }
}
