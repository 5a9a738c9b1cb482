// Owns amounts of money: decimal text in, decimal text out, never through a float; and how they are written.

import { currency } from '/about.js';
import { locale } from '/language.js';
import { formatDecimal } from '/words.js';

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
    const digits = (this.#units < 0n ? -this.#units : this.#units).toString().padStart(this.#decimals + 1, '0');
    const whole = digits.slice(0, digits.length - this.#decimals);
    return this.#decimals === 0 ? sign + whole : `${sign}${whole}.${digits.slice(-this.#decimals)}`;
  }
}

const STYLE = currency ? { style: 'currency', currency } : {};
/** The decimals that the currency has; without one an amount is written as it was sent, and a sum with two. */
const USUAL = currency ? new Intl.NumberFormat(locale, STYLE).resolvedOptions().maximumFractionDigits : undefined;

/** As the reader writes it; what is no amount stays as it is. */
export const formatAmount = (text) => (DECIMAL.test(text) ? formatDecimal(text, USUAL, STYLE) : text);

export const formatSum = (sum) => formatDecimal(String(sum), USUAL ?? 2, STYLE);
