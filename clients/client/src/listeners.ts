// Owns who is told of what: each by itself, so that one that throws disturbs no other.

export type Report = (thrown: unknown) => void;
type Listener = (value: any) => void;

export function listeners(report: Report) {
  /** Never changed but replaced: whoever comes or goes meanwhile changes nothing of the round. */
  const all = new Map<string, readonly Listener[]>();
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
    on(event: string, listener: Listener) {
      const mine: Listener = (value) => listener(value);
      all.set(event, [...all.get(event) ?? [], mine]);
      return () => void all.set(event, (all.get(event) ?? []).filter((one) => one !== mine));
    },
    emit(event: string, value: unknown) {
      for (const listener of all.get(event) ?? []) call(listener, value);
    },
    clear: () => all.clear(),
  };
}
