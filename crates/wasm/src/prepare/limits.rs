//! Every size limit of a published module.

/// Size limits of a published module. They bound the work of preparing and compiling it as well as
/// what an instance of it can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Size of the published module, in bytes.
    pub module_bytes: u64,
    /// Size of the prepared module, in bytes.
    pub prepared_bytes: u64,
    /// Number of function types.
    pub types: u64,
    /// Number of parameters of a function or block.
    pub parameters: u64,
    /// Number of results of a function or block.
    pub results: u64,
    /// Number of imported functions.
    pub imports: u64,
    /// Number of functions that the module defines.
    pub functions: u64,
    /// Number of globals.
    pub globals: u64,
    /// Number of exports.
    pub exports: u64,
    /// Length of an exported name, in bytes.
    pub export_name_bytes: u64,
    /// Number of elements in the table.
    pub table_elements: u64,
    /// Number of element segments.
    pub element_segments: u64,
    /// Number of functions in all element segments together.
    pub element_items: u64,
    /// Number of data segments.
    pub data_segments: u64,
    /// Number of data segments that are left when those close together have become one. Every instance
    /// writes them one by one.
    pub data_pieces: u64,
    /// Size of all data segments together, in bytes.
    pub data_bytes: u64,
    /// Size of the memory at instantiation, in pages of 64 KiB.
    pub memory_initial_pages: u32,
    /// Size up to which a memory may grow, in pages of 64 KiB.
    pub memory_maximum_pages: u32,
    /// Size of one function's body, in bytes.
    pub function_bytes: u64,
    /// Size of one instrumented function's body, in bytes. Both engines refuse functions of more than
    /// 7,654,321 bytes.
    pub prepared_function_bytes: u64,
    /// Number of parameters and locals of one function.
    pub locals: u64,
    /// Number of values on one function's operand stack.
    pub operand_height: u64,
    /// Depth of nested blocks in one function.
    pub nesting: u64,
    /// What the module makes a compiler do, in nanoseconds of the slower engine. Bounds the time of compiling, and
    /// its memory.
    pub compile_work: u64,
    /// Number of targets of one `br_table`.
    pub branch_targets: u64,
    /// Number of function names that are kept for traces; later ones are dropped.
    pub names: u64,
    /// Length of a kept function name in bytes; longer ones are cut.
    pub name_bytes: u64,
}

impl Limits {
    /// The limits of the protocol for services. Only nodes that answer queries compile them, and not on the threads
    /// of blocks; what builds answers to queries is far larger than a contract.
    pub const SERVICE: Self = Self {
        compile_work: 25_000_000_000,
        ..Self::PROTOCOL
    };

    /// The limits of the protocol for contracts.
    pub const PROTOCOL: Self = Self {
        module_bytes: 8 << 20,
        prepared_bytes: 32 << 20,
        types: 4_096,
        parameters: 64,
        results: 16,
        imports: 1_000,
        functions: 20_000,
        globals: 1_000,
        exports: 4_096,
        export_name_bytes: 1_024,
        table_elements: 16_384,
        element_segments: 64,
        element_items: 16_384,
        data_segments: 4_096,
        data_pieces: 64,
        data_bytes: 4 << 20,
        memory_initial_pages: 256,
        memory_maximum_pages: 512,
        function_bytes: 512 << 10,
        prepared_function_bytes: 6 << 20,
        locals: 4_096,
        operand_height: 1_024,
        nesting: 1_024,
        compile_work: 2_600_000_000,
        branch_targets: 4_096,
        names: 20_000,
        name_bytes: 256,
    };
}
