import { createEvents, MeshError, type Logger } from '../../mesh/base/index.ts'
import type { EngineLoad } from '../../mesh/engine/index.ts'
import type { HelperEngineHost } from './engine-kind.ts'

/**
 * Several engine hosts as one: the models of all, each answered by the first host
 * that has it, the load of all together. One that cannot start keeps no other from it.
 */
export function combineHosts(hosts: readonly HelperEngineHost[], log: Logger): HelperEngineHost {
  const changes = createEvents<void>((error) => {
    log.error('a listener of the engines failed', { error })
  })
  const unsubscribe = hosts.map((host) =>
    host.changes.subscribe(() => {
      changes.emit()
    }),
  )

  const hostOf = (id: string): HelperEngineHost => {
    const host = hosts.find((one) => one.models().some((model) => model.id === id))
    if (host === undefined)
      throw new MeshError('model-unknown', `There is no model named ${id.slice(0, 128)} on this device.`)
    return host
  }

  return {
    models() {
      const all = hosts.flatMap((host) => host.models())
      return all.filter((model, index) => all.findIndex((other) => other.id === model.id) === index)
    },
    load() {
      const none: EngineLoad = { slots: 0, busy: 0, queued: 0 }
      return hosts
        .map((host) => host.load())
        .reduce(
          (sum, one) => ({
            slots: sum.slots + one.slots,
            busy: sum.busy + one.busy,
            queued: sum.queued + one.queued,
          }),
          none,
        )
    },
    changes,
    async *generate(request, options) {
      yield* hostOf(request.model).generate(request, options)
    },
    prepare: async (id, options) => hostOf(id).prepare(id, options),
    async start(options) {
      const started = await Promise.allSettled(hosts.map((host) => host.start(options)))
      for (const one of started) if (one.status === 'rejected') throw one.reason
    },
    async stop(options) {
      for (const end of unsubscribe) end()
      await Promise.all(hosts.map((host) => host.stop(options)))
      changes.emit()
    },
  }
}
