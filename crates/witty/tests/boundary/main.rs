//! Values across the boundary: layouts, round trips, whole calls and hostile guests.

mod calls;
mod guest;
mod hostile;
mod layouts;
mod round_trips;
