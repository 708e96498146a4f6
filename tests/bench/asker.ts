import '../../helper/shims.ts'
import process from 'node:process'
import { startPeer, type TestPeer } from '../kit/peers.ts'
import { measureAnswer } from './measure.ts'

/** What the benchmark may ask of this process. */
export type AskerCommand =
  | { readonly do: 'join'; readonly url: string }
  | { readonly do: 'ask'; readonly text: string; readonly maxTokens: number }

// A device of its own in a process of its own: it joins by link and measures what it is answered.
let peer: TestPeer | undefined

async function obey(command: AskerCommand): Promise<unknown> {
  peer ??= await startPeer('Asker')
  if (command.do === 'join') return (await peer.mesh.join(command.url)).state
  const request = {
    messages: [{ role: 'user' as const, content: command.text }],
    sampling: { temperature: 0, maxTokens: command.maxTokens },
  }
  return measureAnswer(peer.mesh.ask(request, { signal: new AbortController().signal }))
}

process.on('message', (command: AskerCommand) => {
  obey(command).then(
    (value) => process.send?.({ value }),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})
process.on('disconnect', () => process.exit(0))
