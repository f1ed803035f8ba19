#![no_std]
#![no_main]
//! Kernel programs.
