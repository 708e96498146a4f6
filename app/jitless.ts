import * as z from 'zod/mini'

// imported before everything else: the policy of the page forbids code made from strings,
// and schemas decide when they are made whether they may try
z.config({ jitless: true })
