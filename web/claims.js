// Owns what a token says of itself. Nothing is verified here: this decides what is worth showing, the server decides
// what may be seen.

import { parse } from '/json.js';

const STAFF_ROLES = new Set(['STAFF', 'ADMIN']);

function claimsOf(token) {
  try {
    const payload = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
    const claims = parse(new TextDecoder().decode(bytes));
    return typeof claims === 'object' && claims !== null ? claims : {};
  } catch {
    return {};
  }
}

const isId = (value) => (typeof value === 'string' && value !== '') || Number.isInteger(value);
const asList = (value) => (Array.isArray(value) ? value : [value]);

/** What the bearer may see: `{ negocios, restaurant, isStaff, user }`. */
export function readClaims(token) {
  const claims = claimsOf(token);
  const roles = [...asList(claims.role), ...asList(claims.roles)];
  return {
    negocios: [...new Set([...asList(claims.negocio_id), ...asList(claims.negocios)].filter(isId).map(String))],
    restaurant: isId(claims.restaurantId) ? String(claims.restaurantId) : '',
    isStaff: claims.is_staff === true || claims.is_superuser === true
      || roles.some((role) => typeof role === 'string' && STAFF_ROLES.has(role.toUpperCase())),
    /** Who has something of her own; a restaurant's `userId` is none of these. Empty: nobody. */
    user: String([claims.id, claims.user_id, claims.sub].find(isId) ?? ''),
  };
}
