;;; coder-lsp.el --- Code completion from a model on your own machine  -*- lexical-binding: t -*-

;; Package-Requires: ((emacs "30.1"))

;;; Commentary:

;; Has Eglot, or lsp-mode where that is loaded, run `coder-lsp' in every programming mode, and shows
;; its suggestions as ghost text that TAB takes.  See README.md beside this file.

;;; Code:

(defvar completion-preview-idle-delay)
(defvar completion-preview-minimum-symbol-length)
(defvar eglot-server-programs)
(defvar lsp-inline-completion-active-map)
(defvar lsp-inline-completion-idle-delay)
(declare-function completion-preview-mode "completion-preview")
(declare-function eglot--TextDocumentIdentifier "eglot")
(declare-function eglot--server-info "eglot")
(declare-function eglot-current-server "eglot")
(declare-function eglot-execute-command "eglot")
(declare-function eglot-managed-p "eglot")
(declare-function lsp--buffer-uri "lsp-mode")
(declare-function lsp-inline-completion-accept "lsp-inline-completion")
(declare-function lsp-register-client "lsp-mode")
(declare-function make-lsp-client "lsp-mode")
(declare-function lsp-stdio-connection "lsp-mode")
(declare-function lsp-workspace-command-execute "lsp-mode")

(defvar coder-lsp-command '("coder-lsp")
  "The command line of the language server.
To be set before Eglot or lsp-mode is loaded.")

;;; Eglot: suggestions are completions, and Emacs previews the first.

(with-eval-after-load 'eglot
  (add-to-list 'eglot-server-programs (cons 'prog-mode coder-lsp-command))
  (add-hook 'eglot-managed-mode-hook #'coder-lsp-ghost-text)
  (advice-add 'eglot--signal-textDocument/didChange :around #'coder-lsp--at-once))

(defun coder-lsp--at-once (tell)
  "Have Eglot TELL of a change to the end.
The preview breaks off what it asks for when a key comes.  Eglot, broken off
after telling of a change, would tell of it again, and the server's text
would no longer be the buffer's."
  (let ((inhibit-quit t))
    (funcall tell)))

(defun coder-lsp-ghost-text ()
  "Show suggestions behind the cursor in this buffer, wherever it stands.
Where another server has the buffer, do nothing."
  (when (and (eglot-managed-p)
             (equal (plist-get (eglot--server-info (eglot-current-server)) :name) "coder-lsp"))
    (require 'completion-preview)
    (setq-local completion-preview-minimum-symbol-length nil
                completion-preview-idle-delay 0.1)
    (completion-preview-mode)))

;;; lsp-mode: beside the language's own server.  It has ghost text of its own from version 10 on.

(with-eval-after-load 'lsp-mode
  (lsp-register-client
   (make-lsp-client :server-id 'coder-lsp
                    :new-connection (lsp-stdio-connection coder-lsp-command)
                    :activation-fn (lambda (_file _mode) (derived-mode-p 'prog-mode))
                    :add-on? t)))

(with-eval-after-load 'lsp-inline-completion
  (setq lsp-inline-completion-idle-delay 0.2)
  (define-key lsp-inline-completion-active-map (kbd "TAB") #'lsp-inline-completion-accept))

;;; Both

(defun coder-lsp-why ()
  "Say why there was a suggestion for this file, or none."
  (interactive)
  (message "%s"
           (if (bound-and-true-p eglot--managed-mode)
               (eglot-execute-command
                (eglot-current-server) "coder-lsp.why"
                (vector (plist-get (eglot--TextDocumentIdentifier) :uri)))
             (lsp-workspace-command-execute "coder-lsp.why" (vector (lsp--buffer-uri))))))

(provide 'coder-lsp)
;;; coder-lsp.el ends here
