import '../helper/shims.ts'
