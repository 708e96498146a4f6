/**
 * Every protocol of the peer, one line each. A new one is a folder beside these
 * and a line in {@link createProtocols}; it inherits bounds, gate and contract tests.
 */
import type { Clock, DeviceId, EventSource, Logger } from '../../base/index.ts'
import type { Asker, EngineHost } from '../../engine/index.ts'
import type { Protocol } from '../protocol.ts'
import { whileAllowed } from '../while-allowed.ts'
import { compareProtocol, type Comparing } from './compare/compare.ts'
import { controlProtocol, type ControlHost } from './control/control.ts'
import { inferProtocol } from './infer/infer.ts'
import { joinProtocol, type Admission, type Knocking, type Recovering } from './join/join.ts'
import { knocksProtocol, type KnocksHost } from './knocks/knocks.ts'
import { keysProtocol, type KeysHost } from './keys/keys.ts'
import { ledgerProtocol } from './ledger/ledger.ts'
import { syncProtocol, type SyncHost } from './sync/sync.ts'

/** What the protocols serve from. */
export interface ProtocolHosts {
  readonly control: ControlHost
  /** Who belongs, or what they may do, has changed. */
  readonly rights: EventSource<void>
  readonly engines: EngineHost | undefined
  /** For whom an answer is made that a device asks for. */
  readonly askerOf: (device: DeviceId) => Asker
  readonly admission: Admission
  readonly comparing: Comparing
  readonly knocking: Knocking & KnocksHost
  readonly recovering: Recovering
  /** Absent where no documents are shared. */
  readonly documents?: SyncHost | undefined
  /** Absent where no keys are held. */
  readonly keys?: KeysHost | undefined
}

/** All protocols, bound to this device. */
export function createProtocols(
  hosts: ProtocolHosts,
  ports: { readonly clock: Clock; readonly log: Logger },
): readonly Protocol[] {
  return [
    controlProtocol(hosts.control, ports),
    compareProtocol(hosts.comparing),
    inferProtocol(hosts.engines, { ...ports, askerOf: hosts.askerOf }),
    joinProtocol(hosts.admission, hosts.knocking, hosts.recovering),
    knocksProtocol(hosts.knocking),
    ledgerProtocol(hosts.control.ledger),
    ...(hosts.documents === undefined ? [] : [syncProtocol(hosts.documents)]),
    ...(hosts.keys === undefined ? [] : [keysProtocol(hosts.keys)]),
  ].map((protocol) => whileAllowed(protocol, hosts.control, hosts.rights))
}
