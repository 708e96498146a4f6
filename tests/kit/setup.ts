import '../../helper/shims.ts'
