/// Writes a module's `suite` and the macro that makes a test of each of its sentences.
macro_rules! sentences {
    ($d:tt $contract:ident, $module:ident, $stand:ty: $($sentence:ident)*) => {
        /// Tries every sentence, each on a store of its own.
        ///
        /// # Panics
        /// A sentence does not hold.
        pub async fn suite(open: impl AsyncFn() -> $stand) {
            $($sentence(&open().await).await;)*
        }

        /// Makes a test of every sentence, by its name. It is given an async function without arguments that
        /// opens a new, empty store.
        #[macro_export]
        macro_rules! $contract {
            ($d open:expr) => {
                $(
                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn $sentence() {
                        $crate::$module::$sentence(&($d open)().await).await;
                    }
                )*
            };
        }
    };
}
