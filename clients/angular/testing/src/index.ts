// `@pulso/angular/testing`: a line for an application's own tests.

export { FakePulso, provideFakePulso } from './fake';
