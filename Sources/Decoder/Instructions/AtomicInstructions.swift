/// Instructions of page 0xFE: atomic accesses to memory.
let atomicInstructions: [InstructionInfo] = [
    // Waiting and ordering
    .init(
        .memoryAtomicNotify, "memory.atomic.notify", .memoryArgument, .notify, .threads, align: 2),
    .init(
        .memoryAtomicWait32, "memory.atomic.wait32", .memoryArgument, .wait(.i32), .threads, align: 2),
    .init(
        .memoryAtomicWait64, "memory.atomic.wait64", .memoryArgument, .wait(.i64), .threads, align: 3),
    .init(.atomicFence, "atomic.fence", .fence, .nothing, .threads),
    // Loads and stores
    .init(.i32AtomicLoad, "i32.atomic.load", .memoryArgument, .load(.i32), .threads, align: 2),
    .init(.i64AtomicLoad, "i64.atomic.load", .memoryArgument, .load(.i64), .threads, align: 3),
    .init(.i32AtomicLoad8U, "i32.atomic.load8_u", .memoryArgument, .load(.i32), .threads, align: 0),
    .init(
        .i32AtomicLoad16U, "i32.atomic.load16_u", .memoryArgument, .load(.i32), .threads, align: 1),
    .init(.i64AtomicLoad8U, "i64.atomic.load8_u", .memoryArgument, .load(.i64), .threads, align: 0),
    .init(
        .i64AtomicLoad16U, "i64.atomic.load16_u", .memoryArgument, .load(.i64), .threads, align: 1),
    .init(
        .i64AtomicLoad32U, "i64.atomic.load32_u", .memoryArgument, .load(.i64), .threads, align: 2),
    .init(.i32AtomicStore, "i32.atomic.store", .memoryArgument, .store(.i32), .threads, align: 2),
    .init(.i64AtomicStore, "i64.atomic.store", .memoryArgument, .store(.i64), .threads, align: 3),
    .init(.i32AtomicStore8, "i32.atomic.store8", .memoryArgument, .store(.i32), .threads, align: 0),
    .init(
        .i32AtomicStore16, "i32.atomic.store16", .memoryArgument, .store(.i32), .threads, align: 1),
    .init(.i64AtomicStore8, "i64.atomic.store8", .memoryArgument, .store(.i64), .threads, align: 0),
    .init(
        .i64AtomicStore16, "i64.atomic.store16", .memoryArgument, .store(.i64), .threads, align: 1),
    .init(
        .i64AtomicStore32, "i64.atomic.store32", .memoryArgument, .store(.i64), .threads, align: 2),
    // Read, modify, write
    .init(
        .i32AtomicRmwAdd, "i32.atomic.rmw.add", .memoryArgument, .exchange(.i32), .threads, align: 2),
    .init(
        .i64AtomicRmwAdd, "i64.atomic.rmw.add", .memoryArgument, .exchange(.i64), .threads, align: 3),
    .init(
        .i32AtomicRmw8AddU, "i32.atomic.rmw8.add_u", .memoryArgument, .exchange(.i32), .threads, align: 0),
    .init(
        .i32AtomicRmw16AddU, "i32.atomic.rmw16.add_u", .memoryArgument, .exchange(.i32), .threads, align: 1),
    .init(
        .i64AtomicRmw8AddU, "i64.atomic.rmw8.add_u", .memoryArgument, .exchange(.i64), .threads, align: 0),
    .init(
        .i64AtomicRmw16AddU, "i64.atomic.rmw16.add_u", .memoryArgument, .exchange(.i64), .threads, align: 1),
    .init(
        .i64AtomicRmw32AddU, "i64.atomic.rmw32.add_u", .memoryArgument, .exchange(.i64), .threads, align: 2),
    .init(
        .i32AtomicRmwSub, "i32.atomic.rmw.sub", .memoryArgument, .exchange(.i32), .threads, align: 2),
    .init(
        .i64AtomicRmwSub, "i64.atomic.rmw.sub", .memoryArgument, .exchange(.i64), .threads, align: 3),
    .init(
        .i32AtomicRmw8SubU, "i32.atomic.rmw8.sub_u", .memoryArgument, .exchange(.i32), .threads, align: 0),
    .init(
        .i32AtomicRmw16SubU, "i32.atomic.rmw16.sub_u", .memoryArgument, .exchange(.i32), .threads, align: 1),
    .init(
        .i64AtomicRmw8SubU, "i64.atomic.rmw8.sub_u", .memoryArgument, .exchange(.i64), .threads, align: 0),
    .init(
        .i64AtomicRmw16SubU, "i64.atomic.rmw16.sub_u", .memoryArgument, .exchange(.i64), .threads, align: 1),
    .init(
        .i64AtomicRmw32SubU, "i64.atomic.rmw32.sub_u", .memoryArgument, .exchange(.i64), .threads, align: 2),
    .init(
        .i32AtomicRmwAnd, "i32.atomic.rmw.and", .memoryArgument, .exchange(.i32), .threads, align: 2),
    .init(
        .i64AtomicRmwAnd, "i64.atomic.rmw.and", .memoryArgument, .exchange(.i64), .threads, align: 3),
    .init(
        .i32AtomicRmw8AndU, "i32.atomic.rmw8.and_u", .memoryArgument, .exchange(.i32), .threads, align: 0),
    .init(
        .i32AtomicRmw16AndU, "i32.atomic.rmw16.and_u", .memoryArgument, .exchange(.i32), .threads, align: 1),
    .init(
        .i64AtomicRmw8AndU, "i64.atomic.rmw8.and_u", .memoryArgument, .exchange(.i64), .threads, align: 0),
    .init(
        .i64AtomicRmw16AndU, "i64.atomic.rmw16.and_u", .memoryArgument, .exchange(.i64), .threads, align: 1),
    .init(
        .i64AtomicRmw32AndU, "i64.atomic.rmw32.and_u", .memoryArgument, .exchange(.i64), .threads, align: 2),
    .init(
        .i32AtomicRmwOr, "i32.atomic.rmw.or", .memoryArgument, .exchange(.i32), .threads, align: 2),
    .init(
        .i64AtomicRmwOr, "i64.atomic.rmw.or", .memoryArgument, .exchange(.i64), .threads, align: 3),
    .init(
        .i32AtomicRmw8OrU, "i32.atomic.rmw8.or_u", .memoryArgument, .exchange(.i32), .threads, align: 0),
    .init(
        .i32AtomicRmw16OrU, "i32.atomic.rmw16.or_u", .memoryArgument, .exchange(.i32), .threads, align: 1),
    .init(
        .i64AtomicRmw8OrU, "i64.atomic.rmw8.or_u", .memoryArgument, .exchange(.i64), .threads, align: 0),
    .init(
        .i64AtomicRmw16OrU, "i64.atomic.rmw16.or_u", .memoryArgument, .exchange(.i64), .threads, align: 1),
    .init(
        .i64AtomicRmw32OrU, "i64.atomic.rmw32.or_u", .memoryArgument, .exchange(.i64), .threads, align: 2),
    .init(
        .i32AtomicRmwXor, "i32.atomic.rmw.xor", .memoryArgument, .exchange(.i32), .threads, align: 2),
    .init(
        .i64AtomicRmwXor, "i64.atomic.rmw.xor", .memoryArgument, .exchange(.i64), .threads, align: 3),
    .init(
        .i32AtomicRmw8XorU, "i32.atomic.rmw8.xor_u", .memoryArgument, .exchange(.i32), .threads, align: 0),
    .init(
        .i32AtomicRmw16XorU, "i32.atomic.rmw16.xor_u", .memoryArgument, .exchange(.i32), .threads, align: 1),
    .init(
        .i64AtomicRmw8XorU, "i64.atomic.rmw8.xor_u", .memoryArgument, .exchange(.i64), .threads, align: 0),
    .init(
        .i64AtomicRmw16XorU, "i64.atomic.rmw16.xor_u", .memoryArgument, .exchange(.i64), .threads, align: 1),
    .init(
        .i64AtomicRmw32XorU, "i64.atomic.rmw32.xor_u", .memoryArgument, .exchange(.i64), .threads, align: 2),
    .init(
        .i32AtomicRmwXchg, "i32.atomic.rmw.xchg", .memoryArgument, .exchange(.i32), .threads, align: 2),
    .init(
        .i64AtomicRmwXchg, "i64.atomic.rmw.xchg", .memoryArgument, .exchange(.i64), .threads, align: 3),
    .init(
        .i32AtomicRmw8XchgU, "i32.atomic.rmw8.xchg_u", .memoryArgument, .exchange(.i32), .threads, align: 0),
    .init(
        .i32AtomicRmw16XchgU, "i32.atomic.rmw16.xchg_u", .memoryArgument, .exchange(.i32), .threads, align: 1),
    .init(
        .i64AtomicRmw8XchgU, "i64.atomic.rmw8.xchg_u", .memoryArgument, .exchange(.i64), .threads, align: 0),
    .init(
        .i64AtomicRmw16XchgU, "i64.atomic.rmw16.xchg_u", .memoryArgument, .exchange(.i64), .threads, align: 1),
    .init(
        .i64AtomicRmw32XchgU, "i64.atomic.rmw32.xchg_u", .memoryArgument, .exchange(.i64), .threads, align: 2),
    .init(
        .i32AtomicRmwCmpxchg, "i32.atomic.rmw.cmpxchg", .memoryArgument, .compareExchange(.i32), .threads, align: 2),
    .init(
        .i64AtomicRmwCmpxchg, "i64.atomic.rmw.cmpxchg", .memoryArgument, .compareExchange(.i64), .threads, align: 3),
    .init(
        .i32AtomicRmw8CmpxchgU, "i32.atomic.rmw8.cmpxchg_u", .memoryArgument, .compareExchange(.i32), .threads, align: 0),
    .init(
        .i32AtomicRmw16CmpxchgU, "i32.atomic.rmw16.cmpxchg_u", .memoryArgument, .compareExchange(.i32), .threads, align: 1),
    .init(
        .i64AtomicRmw8CmpxchgU, "i64.atomic.rmw8.cmpxchg_u", .memoryArgument, .compareExchange(.i64), .threads, align: 0),
    .init(
        .i64AtomicRmw16CmpxchgU, "i64.atomic.rmw16.cmpxchg_u", .memoryArgument, .compareExchange(.i64), .threads, align: 1),
    .init(
        .i64AtomicRmw32CmpxchgU, "i64.atomic.rmw32.cmpxchg_u", .memoryArgument, .compareExchange(.i64), .threads, align: 2),
]
