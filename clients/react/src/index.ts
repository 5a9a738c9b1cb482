// `@pulso/react`: hooks over one line of `@pulso/client`.

export { useChannel, useKiosk, useLiveQuery, useOrders, usePulsoStatus, useSales, useStaff, useStats } from './hooks.js';
export { PulsoProvider, usePulso, type PulsoProviderProps } from './provider.js';
export type { Listening, Live, LiveList, LiveState } from './watch.js';
