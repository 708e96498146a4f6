/** Inviting a device or a person, and comparing pictures with those who come. */
import Icon from '@lucide/svelte/icons/plus'
import type { ViewDescriptor } from '../view.ts'

export const addDeviceView: ViewDescriptor = {
  id: 'add',
  title: 'nav.add',
  icon: Icon,
  group: 'mesh',
  load: () => import('./View.svelte'),
}
