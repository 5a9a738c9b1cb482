// Owns who is told of what: each by itself, so that one that throws disturbs no other.

export type Report = (thrown: unknown) => void;

export function listeners(report: Report) {
  const all = new Map<string, Set<(value: any) => void>>();
  const call = <T>(listener: (value: T) => void, value: T) => {
    try {
      listener(value);
    } catch (thrown) {
      report(thrown);
    }
  };
  return {
    /** As by `emit`, one alone. */
    call,
    /** The same listener twice is two. */
    on(event: string, listener: (value: any) => void) {
      const mine = (value: any) => listener(value);
      all.set(event, (all.get(event) ?? new Set()).add(mine));
      return () => void all.get(event)?.delete(mine);
    },
    /** Whoever comes or goes meanwhile changes nothing of the round. */
    emit(event: string, value: unknown) {
      for (const listener of [...all.get(event) ?? []]) call(listener, value);
    },
    clear: () => all.clear(),
  };
}
