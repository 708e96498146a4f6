/** Who belongs to the mesh, by which signed entry, with which rights and keys; and whether all of it was checked. */
import Icon from '@lucide/svelte/icons/shield-check'
import type { ViewDescriptor } from '../view.ts'

export const securityView: ViewDescriptor = {
  id: 'security',
  title: 'nav.security',
  icon: Icon,
  group: 'self',
  load: () => import('./View.svelte'),
}
