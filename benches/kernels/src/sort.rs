//! Sorting: short inner loops whose branches nobody can predict.

use crate::Random;

/// A quicksort as in a textbook, of so many 32-bit numbers.
pub(crate) fn own_quicksort(count: usize) -> u64 {
    let mut random = Random(2);
    let mut numbers: Vec<u32> = (0..count).map(|_| random.next() as u32).collect();
    quicksort(&mut numbers);
    assert!(numbers.is_sorted());
    numbers[count / 2].into()
}

/// The standard library's, of so many 64-bit numbers.
pub(crate) fn library_sort(count: usize) -> u64 {
    let mut random = Random(3);
    let mut numbers: Vec<u64> = (0..count).map(|_| random.next()).collect();
    numbers.sort_unstable();
    assert!(numbers.is_sorted());
    numbers[count / 2]
}

fn quicksort(numbers: &mut [u32]) {
    if numbers.len() < 16 {
        return insertion_sort(numbers);
    }
    let middle = partition(numbers);
    let (left, right) = numbers.split_at_mut(middle);
    quicksort(left);
    quicksort(right);
}

/// Hoare's: two cursors that move towards each other.
fn partition(numbers: &mut [u32]) -> usize {
    let pivot = numbers[numbers.len() / 2];
    let (mut left, mut right) = (0, numbers.len() - 1);
    loop {
        while numbers[left] < pivot {
            left += 1;
        }
        while numbers[right] > pivot {
            right -= 1;
        }
        if left >= right {
            return left.max(1);
        }
        numbers.swap(left, right);
        left += 1;
        right -= 1;
    }
}

fn insertion_sort(numbers: &mut [u32]) {
    for index in 1..numbers.len() {
        let number = numbers[index];
        let mut place = index;
        while place > 0 && numbers[place - 1] > number {
            numbers[place] = numbers[place - 1];
            place -= 1;
        }
        numbers[place] = number;
    }
}
