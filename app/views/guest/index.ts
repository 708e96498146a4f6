/** What a page that came without protection is: a guest pass, and the ways to something better. Shown until the guest is let in. */
export const loadGuestView = (): Promise<typeof import('./View.svelte')> => import('./View.svelte')
