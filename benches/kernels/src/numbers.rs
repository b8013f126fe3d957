//! Arithmetic: floats, wide integers, and a checksum with almost nothing in its loop.

use crate::Random;

/// A CRC-32 by table, of so many bytes: the shortest loop that anybody would write.
pub(crate) fn checksum(count: usize) -> u64 {
    let table = crc_table();
    let bytes = Random(4).bytes(count);
    let crc = bytes.iter().fold(!0u32, |crc, byte| {
        table[usize::from(crc as u8 ^ byte)] ^ (crc >> 8)
    });
    (!crc).into()
}

fn crc_table() -> [u32; 256] {
    std::array::from_fn(|index| {
        (0..8).fold(index as u32, |crc, _| {
            if crc & 1 == 1 {
                0xedb8_8320 ^ (crc >> 1)
            } else {
                crc >> 1
            }
        })
    })
}

/// The product of two square matrices of doubles.
pub(crate) fn matrix_product(size: usize) -> u64 {
    let mut random = Random(5);
    let mut matrix = || -> Vec<f64> {
        (0..size * size)
            .map(|_| (random.next() >> 40) as f64)
            .collect()
    };
    let (left, right) = (matrix(), matrix());
    let mut product = vec![0.0; size * size];
    for (row, left) in product.chunks_exact_mut(size).zip(left.chunks_exact(size)) {
        for (factor, right) in left.iter().zip(right.chunks_exact(size)) {
            for (sum, term) in row.iter_mut().zip(right) {
                *sum += factor * term;
            }
        }
    }
    product.iter().sum::<f64>().to_bits()
}

/// Five bodies that attract each other, for so many steps: chains of float operations and roots.
pub(crate) fn orbits(steps: usize) -> u64 {
    let mut random = Random(6);
    let mut number = || (random.next() >> 44) as f64 / 1e5 + 0.1;
    let mut bodies: [Body; 5] = std::array::from_fn(|_| Body {
        place: std::array::from_fn(|_| number()),
        speed: [0.0; 3],
        mass: number(),
    });
    for _ in 0..steps {
        step(&mut bodies);
    }
    bodies[0].place[0].to_bits()
}

#[derive(Clone, Copy)]
struct Body {
    place: [f64; 3],
    speed: [f64; 3],
    mass: f64,
}

fn step(bodies: &mut [Body; 5]) {
    for first in 0..5 {
        for second in first + 1..5 {
            let (a, b) = (bodies[first], bodies[second]);
            let apart: [f64; 3] = std::array::from_fn(|axis| a.place[axis] - b.place[axis]);
            let square: f64 = apart.iter().map(|part| part * part).sum();
            let pull = 0.001 / (square * square.sqrt());
            for (axis, part) in apart.iter().enumerate() {
                bodies[first].speed[axis] -= part * b.mass * pull;
                bodies[second].speed[axis] += part * a.mass * pull;
            }
        }
    }
    for body in bodies {
        for axis in 0..3 {
            body.place[axis] += body.speed[axis] * 0.001;
        }
    }
}

/// So many products modulo 2^255 - 19, as signatures need them: long straight code of wide products.
pub(crate) fn field_product(count: usize) -> u64 {
    let mut random = Random(7);
    let mut value: [u64; 5] = std::array::from_fn(|_| random.next() >> 13);
    let factor: [u64; 5] = std::array::from_fn(|_| random.next() >> 13);
    for _ in 0..count {
        value = multiply(&value, &factor);
    }
    value.iter().fold(0, |sum, limb| sum ^ limb)
}

/// Limbs of 51 bits.
fn multiply(a: &[u64; 5], b: &[u64; 5]) -> [u64; 5] {
    let wide = |x: u64, y: u64| u128::from(x) * u128::from(y);
    let folded: [u64; 5] = std::array::from_fn(|index| b[index] * 19);
    let sums: [u128; 5] = std::array::from_fn(|column| {
        (0..5)
            .map(|row| match column.checked_sub(row) {
                Some(other) => wide(a[row], b[other]),
                None => wide(a[row], folded[column + 5 - row]),
            })
            .sum()
    });
    let mut carry = 0u128;
    let mut limbs = sums.map(|sum| {
        let sum = sum + carry;
        carry = sum >> 51;
        sum as u64 & ((1 << 51) - 1)
    });
    limbs[0] += carry as u64 * 19;
    limbs
}
