import type { ModelId } from '../../../../mesh/base/index.ts'
import type { DeviceView } from '../../../../mesh/mesh-types.ts'
import { formatBytes, t } from '../../../i18n/index.ts'
import type { MenuItem } from '../../../parts/menu.ts'

/** The choice of a model: the best one, or one of those that reachable devices have, device by device. */
export function modelItems(
  devices: readonly DeviceView[],
  chosen: ModelId | undefined,
  choose: (model: ModelId | undefined) => void,
): readonly MenuItem[] {
  const auto: MenuItem = {
    label: t('model.auto'),
    note: t('model.autoNote'),
    checked: chosen === undefined,
    onselect: () => {
      choose(undefined)
    },
  }
  const held = devices
    .filter((device) => device.state === 'online')
    .flatMap((device) => {
      const models = device.models.filter((model) => model.state !== 'failed')
      return models.map((model, index): MenuItem => ({
        label: model.id,
        note:
          model.state === 'downloading'
            ? t('model.onItsWay', { size: formatBytes(model.sizeBytes) })
            : t('model.size', { size: formatBytes(model.sizeBytes) }),
        checked: chosen === model.id,
        heading: index === 0 ? device.name : undefined,
        onselect: () => {
          choose(model.id)
        },
      }))
    })
  // a chosen model that nobody near has stays to be seen
  const known = chosen === undefined || held.some((item) => item.label === (chosen as string))
  const missing: readonly MenuItem[] = known
    ? []
    : [
        {
          label: chosen,
          note: t('model.notNear'),
          checked: true,
          onselect: () => {
            choose(chosen)
          },
        },
      ]
  return [auto, ...held, ...missing]
}
