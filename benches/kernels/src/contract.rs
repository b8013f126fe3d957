//! Compute kernels as a contract, to measure what metering costs: an operation names the kernel, and the response is a
//! number that depends on all that it computed.

#![cfg_attr(target_arch = "wasm32", no_main)]
#![forbid(unsafe_code)]

mod control;
mod maps;
mod numbers;
mod sha256;
mod sort;

use resident_sdk::{Contract, ContractAbi, ContractRuntime, WithContractAbi};
use serde::{Deserialize, Serialize};

resident_sdk::contract!(KernelsContract);

/// What is computed. `resident_benches::KERNELS` names them in the same order.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
enum Kernel {
    Sha256,
    Checksum,
    OwnQuicksort,
    LibrarySort,
    MatrixProduct,
    Orbits,
    FieldProduct,
    Recursion,
    DynamicCalls,
    Parse,
    Format,
    BTree,
    HashMap,
}

struct KernelsAbi;

impl ContractAbi for KernelsAbi {
    type Operation = Kernel;
    type Response = u64;
}

struct KernelsContract;

impl WithContractAbi for KernelsContract {
    type Abi = KernelsAbi;
}

impl Contract for KernelsContract {
    type Message = ();
    type EventValue = ();
    type Parameters = ();
    type InstantiationArgument = ();

    async fn load(_runtime: ContractRuntime<Self>) -> Self {
        KernelsContract
    }

    async fn instantiate(&mut self, (): ()) {}

    async fn execute_operation(&mut self, kernel: Kernel) -> u64 {
        match kernel {
            Kernel::Sha256 => sha256::digest_of_random_bytes(64 << 10),
            Kernel::Checksum => numbers::checksum(64 << 10),
            Kernel::OwnQuicksort => sort::own_quicksort(20_000),
            Kernel::LibrarySort => sort::library_sort(20_000),
            Kernel::MatrixProduct => numbers::matrix_product(128),
            Kernel::Orbits => numbers::orbits(2_000),
            Kernel::FieldProduct => numbers::field_product(5_000),
            Kernel::Recursion => control::recursion(25),
            Kernel::DynamicCalls => control::dynamic_calls(100_000),
            Kernel::Parse => control::parse(64 << 10),
            Kernel::Format => control::format_numbers(2_000),
            Kernel::BTree => maps::btree(5_000),
            Kernel::HashMap => maps::hash_map(5_000),
        }
    }

    async fn execute_message(&mut self, (): ()) {
        panic!("the kernels take no messages");
    }

    async fn store(self) {}
}

/// Numbers that look random and are the same every time (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let words = (0..count / 8).flat_map(|_| self.next().to_le_bytes());
        words.collect()
    }
}
