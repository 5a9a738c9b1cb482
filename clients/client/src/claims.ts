// Owns what a token says of itself. Nothing is verified, and nothing is granted by it.

/** What a token says of itself, unverified: only to compare it, and to reckon how long it lives. */
export function claims(token: string | null): Record<string, unknown> {
  try {
    return Object(JSON.parse(atob(token!.split('.')[1]!.replace(/-/g, '+').replace(/_/g, '/'))));
  } catch {
    return {};
  }
}
/** Whose a token is, if it says so. */
export const whose = (token: string | null) => {
  const { id, user_id, sub, userId, restaurantId } = claims(token);
  // A restaurant's token may name nobody else.
  return String(id ?? user_id ?? sub ?? userId ?? restaurantId ?? '') || undefined;
};
