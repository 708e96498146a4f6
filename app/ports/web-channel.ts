import type { ChannelPort } from '../peer/index.ts'

/** What the tabs of this profile say to each other, by a BroadcastChannel. It lives as long as the page. */
export function createWebChannel(name: string): ChannelPort {
  const channel = new BroadcastChannel(name)
  return {
    post(message) {
      channel.postMessage(message)
    },
    subscribe(listener) {
      const own = (event: MessageEvent<unknown>): void => {
        listener(event.data)
      }
      channel.addEventListener('message', own)
      return () => {
        channel.removeEventListener('message', own)
      }
    },
  }
}

/** For a tab that shares nothing with the others: nobody hears it, and it hears nobody. */
export function createLoneChannel(): ChannelPort {
  return { post: () => undefined, subscribe: () => () => undefined }
}
