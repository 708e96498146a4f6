import type { Connection } from '@libp2p/interface'
import { DIAL_TIMEOUT_MS, type Clock, type DeviceId } from '../../../base/index.ts'
import { FIRST_FRAME, openStream, type Protocol } from '../../protocol.ts'
import { MEMBERSHIP, reply, request, type MembershipReply, type MembershipRequest } from './messages.ts'

/** The keeper's side: checks the caller's rights and changes the list. */
export type ChangeList = (
  caller: DeviceId,
  wanted: MembershipRequest,
  options: { readonly signal: AbortSignal },
) => Promise<MembershipReply>

/** Serves changes of this device's own list to admitted devices. */
export function membershipProtocol(change: ChangeList): Protocol {
  return {
    ...MEMBERSHIP,
    callers: 'admitted',
    async handle(stream, options) {
      const wanted = await stream.read(request, FIRST_FRAME)
      await stream.write(await change(stream.peer, wanted, options), options)
      stream.close()
    },
  }
}

/** Asks the keeper at the other end of `connection`. @throws MeshError what the keeper told, `peer-gone`, `timeout` */
export async function askKeeper(
  connection: Connection,
  wanted: MembershipRequest,
  ports: { readonly clock: Clock },
  options: { readonly signal: AbortSignal },
): Promise<MembershipReply> {
  const stream = await openStream(connection, MEMBERSHIP, ports, options)
  try {
    await stream.write(wanted, options)
    const answer = await stream.read(reply, { ...options, timeoutMs: DIAL_TIMEOUT_MS })
    stream.close()
    return answer
  } catch (error) {
    stream.abort(error)
    throw error
  }
}
