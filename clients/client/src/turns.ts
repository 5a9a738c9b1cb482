// Owns when listeners are told: once all that is under way is done, so that whatever one of them does then meets nothing half
// done, and opens or ends nothing twice. Must not know what is told, nor whom.

type Inputs = Record<string, (...given: any[]) => void>;

export function turns() {
  const due: (() => void)[] = [];
  let isBusy = false;
  return {
    tell: (act: () => void) => void due.push(act),
    /** What comes from outside: each is done to its end before anybody is told of it. */
    whole: <T extends Inputs>(inputs: T) => Object.fromEntries(Object.entries(inputs).map(([name, act]) => [name, (...given: unknown[]) => {
      // A listener's doing: whoever is told already is told of that next.
      if (isBusy) return act(...given);
      isBusy = true;
      try {
        act(...given);
        for (let next = due.shift(); next; next = due.shift()) next();
      } finally {
        isBusy = false;
      }
    }])) as T,
  };
}
