import { Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import { Button } from "../ui";
import { HELP } from "./keys";

export function Help({ isOpen, onOpenChange }: { isOpen: boolean; onOpenChange: (isOpen: boolean) => void }) {
  return (
    <ModalOverlay isOpen={isOpen} onOpenChange={onOpenChange} isDismissable className="help-overlay">
      <Modal className="help-modal">
        <Dialog>
          {({ close }) => (
            <>
              <Heading slot="title">Keys of the waterfall</Heading>
              <dl className="help-keys">
                {HELP.map(([keys, what]) => (
                  <div key={keys}>
                    <dt>
                      <kbd>{keys}</kbd>
                    </dt>
                    <dd>{what}</dd>
                  </div>
                ))}
              </dl>
              <Button autoFocus onPress={close}>
                Close
              </Button>
            </>
          )}
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
