/** An invitation that was opened: who invites, to what, and what happens on the way in. Shown while one is pending. */
export const loadJoinView = (): Promise<typeof import('./View.svelte')> => import('./View.svelte')
