// `@pulso/angular`: signals and observables over one line of `@pulso/client`.

export { pulsoTokenInterceptor } from './interceptor';
export { PULSO, PULSO_OPENS, injectPulso, providePulso } from './provide';
export {
  injectEvents, injectLiveQuery, injectPulsoStatus, injectStats, type PulsoListRef, type PulsoRef, type PulsoState,
} from './refs';
export { events$, stats$, status$ } from './streams';
