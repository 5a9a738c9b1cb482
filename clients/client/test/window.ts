// A page that a test drives by hand: its window, its document and what its browser says of the network.

import { settled } from './world.ts';

/** A window that counts who listens to it. */
export class Page extends EventTarget {
  listening = 0;
  visibilityState = 'visible';

  override addEventListener(type: string, listener: EventListener) {
    this.listening++;
    super.addEventListener(type, listener);
  }

  override removeEventListener(type: string, listener: EventListener) {
    this.listening--;
    super.removeEventListener(type, listener);
  }
}

export async function onPage(act: (page: Page, navigator: { onLine: boolean }) => Promise<void>) {
  const page = new Page();
  const navigator = { onLine: true };
  const before = ['window', 'document', 'navigator'].map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const);
  for (const [name, value] of Object.entries({ window: page, document: page, navigator })) Object.defineProperty(globalThis, name, { value, configurable: true });
  try {
    await act(page, navigator);
  } finally {
    for (const [name, descriptor] of before) descriptor ? Object.defineProperty(globalThis, name, descriptor) : delete (globalThis as any)[name];
  }
}

export const say = async (page: Page, type: string, more: object = {}) => {
  page.dispatchEvent(Object.assign(new Event(type), more));
  await settled();
};

/** Put where one may go back to, and taken from there. */
export const away = (page: Page) => say(page, 'pagehide', { persisted: true });
export const back = (page: Page) => say(page, 'pageshow', { persisted: true });
